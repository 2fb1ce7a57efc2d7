package io.costguard.spring;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.springframework.boot.Banner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

/** Applications as users have them: a class, and an application.yaml. */
final class Applications {
    static final String YAML = "application.yaml";

    private Applications() {}

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Any {}

    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration({CostGuardAutoConfiguration.class, CostGuardClientsAutoConfiguration.class})
    static class NothingElse {}

    /** One that serves HTTP on a free port. */
    static ConfigurableApplicationContext serving(Path folder, String yaml) throws IOException {
        return run(WebApplicationType.SERVLET, folder, YAML, yaml, List.of(Any.class));
    }

    /** One that has all that Spring Boot makes of this class path. */
    static ConfigurableApplicationContext whole(Path folder, String yaml, Class<?>... sources) throws IOException {
        return run(WebApplicationType.NONE, folder, YAML, yaml, and(Any.class, sources));
    }

    /** One with a guard alone, which is the quickest. */
    static ConfigurableApplicationContext small(Path folder, String yaml, Class<?>... sources) throws IOException {
        return run(WebApplicationType.NONE, folder, YAML, yaml, and(NothingElse.class, sources));
    }

    /** {@link #small} with properties in a file of that name. */
    static ConfigurableApplicationContext small(Path folder, String name, String properties) throws IOException {
        return run(WebApplicationType.NONE, folder, name, properties, List.of(NothingElse.class));
    }

    private static List<Class<?>> and(Class<?> last, Class<?>... first) {
        List<Class<?>> all = new ArrayList<>(List.of(first));
        all.add(last);
        return all;
    }

    private static ConfigurableApplicationContext run(
            WebApplicationType type, Path folder, String name, String properties, List<Class<?>> sources)
            throws IOException {
        Files.writeString(folder.resolve(name), properties);
        SpringApplication application = new SpringApplication(sources.toArray(Class<?>[]::new));
        application.setWebApplicationType(type);
        application.setBannerMode(Banner.Mode.OFF);
        application.setRegisterShutdownHook(false);
        return application.run("--spring.config.location=" + folder.toUri(), "--server.port=0");
    }
}
