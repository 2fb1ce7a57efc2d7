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
    @ImportAutoConfiguration(CostGuardAutoConfiguration.class)
    static class NothingElse {}

    /** One that serves HTTP on a free port. */
    static ConfigurableApplicationContext serving(Path folder, String yaml) throws IOException {
        return run(WebApplicationType.SERVLET, folder, YAML, yaml, List.of(Any.class));
    }

    static ConfigurableApplicationContext silent(Path folder, String yaml, Class<?>... sources) throws IOException {
        List<Class<?>> all = new ArrayList<>(List.of(sources));
        all.add(Any.class);
        return run(WebApplicationType.NONE, folder, YAML, yaml, all);
    }

    /** One with a guard alone, which is the quickest. */
    static ConfigurableApplicationContext small(Path folder, String name, String properties) throws IOException {
        return run(WebApplicationType.NONE, folder, name, properties, List.of(NothingElse.class));
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
