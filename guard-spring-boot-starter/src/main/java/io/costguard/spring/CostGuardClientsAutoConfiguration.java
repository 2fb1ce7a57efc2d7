package io.costguard.spring;

import io.costguard.CostGuard;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.okhttp.CostGuardInterceptor;
import java.net.http.HttpClient;
import java.util.function.Consumer;
import okhttp3.OkHttpClient;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.http.client.reactive.JdkClientHttpConnector;
import org.springframework.web.client.RestClient;
import org.springframework.web.reactive.function.client.WebClient;

/** Guarded HTTP clients, where there is one guard, or one of several that goes before the others. */
@AutoConfiguration(after = CostGuardAutoConfiguration.class)
public class CostGuardClientsAutoConfiguration {
    /** Made by Spring. */
    public CostGuardClientsAutoConfiguration() {}

    /** For OkHttp: {@code builder.addInterceptor(interceptor)}. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass({OkHttpClient.class, CostGuardInterceptor.class})
    static class OkHttp {
        @Bean
        @ConditionalOnSingleCandidate(CostGuard.class)
        @ConditionalOnMissingBean
        CostGuardInterceptor costGuardInterceptor(CostGuard guard) {
            return new CostGuardInterceptor(guard);
        }
    }

    /** For whatever takes a {@code java.net.http.HttpClient}. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(GuardedHttpClient.class)
    static class JavaNetHttp {
        /** No candidate for who asks for any client, who would not expect it. It is not closed: that would wait for all open answers. */
        @Bean(name = CostGuardAutoConfiguration.HTTP_CLIENT, defaultCandidate = false, destroyMethod = "")
        @ConditionalOnSingleCandidate(CostGuard.class)
        @ConditionalOnMissingBean(name = CostGuardAutoConfiguration.HTTP_CLIENT)
        HttpClient costGuardHttpClient(CostGuard guard) {
            return GuardedHttpClient.newBuilder(guard).build();
        }

        /** Spring's own clients, where that is asked for. */
        @Configuration(proxyBeanMethods = false)
        @ConditionalOnProperty(prefix = CostGuardProperties.PREFIX, name = "http-clients.enabled")
        static class OfSpring {
            /** Has beans of a type guarded when they are made: builders are made anew for each who asks. */
            private record Guarding<B>(Class<B> type, Consumer<B> guard) implements BeanPostProcessor {
                @Override
                public Object postProcessAfterInitialization(Object bean, String name) {
                    if (type.isInstance(bean)) {
                        guard.accept(type.cast(bean));
                    }
                    return bean;
                }
            }

            @Configuration(proxyBeanMethods = false)
            @ConditionalOnClass(RestClient.class)
            static class RestClients {
                @Bean
                static BeanPostProcessor costGuardRestClients(BeanFactory beans) {
                    return new Guarding<>(
                            RestClient.Builder.class,
                            builder -> builder.requestFactory(new JdkClientHttpRequestFactory(
                                    beans.getBean(CostGuardAutoConfiguration.HTTP_CLIENT, HttpClient.class))));
                }
            }

            @Configuration(proxyBeanMethods = false)
            @ConditionalOnClass(WebClient.class)
            static class WebClients {
                @Bean
                static BeanPostProcessor costGuardWebClients(BeanFactory beans) {
                    return new Guarding<>(
                            WebClient.Builder.class,
                            builder -> builder.clientConnector(new JdkClientHttpConnector(
                                    beans.getBean(CostGuardAutoConfiguration.HTTP_CLIENT, HttpClient.class))));
                }
            }
        }
    }
}
