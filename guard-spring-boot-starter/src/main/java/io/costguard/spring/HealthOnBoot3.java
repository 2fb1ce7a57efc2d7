package io.costguard.spring;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.BeanClassLoaderAware;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.BeanFactoryAware;
import org.springframework.beans.factory.support.BeanDefinitionRegistry;
import org.springframework.beans.factory.support.RootBeanDefinition;
import org.springframework.context.annotation.ImportBeanDefinitionRegistrar;
import org.springframework.core.type.AnnotationMetadata;
import org.springframework.util.ClassUtils;

/**
 * Registers the health indicator of Spring Boot 3, by reflection: its types cannot be compiled against beside those of Spring Boot 4, as the
 * artifacts that hold them have the same names.
 */
final class HealthOnBoot3 implements ImportBeanDefinitionRegistrar, BeanFactoryAware, BeanClassLoaderAware {
    static final String INDICATOR = "org.springframework.boot.actuate.health.HealthIndicator";

    private @Nullable BeanFactory beans;
    private @Nullable ClassLoader loader;

    @Override
    public void setBeanFactory(BeanFactory beans) {
        this.beans = beans;
    }

    @Override
    public void setBeanClassLoader(ClassLoader loader) {
        this.loader = loader;
    }

    @Override
    public void registerBeanDefinitions(AnnotationMetadata importing, BeanDefinitionRegistry registry) {
        registry.registerBeanDefinition(
                CostGuardActuatorAutoConfiguration.OfHealth.INDICATOR,
                definition(ClassUtils.resolveClassName(INDICATOR, loader)));
    }

    private <T> RootBeanDefinition definition(Class<T> indicator) {
        return new RootBeanDefinition(
                indicator,
                () -> indicator.cast(Proxy.newProxyInstance(
                        indicator.getClassLoader(), new Class<?>[] {indicator}, new Indicator(beans()))));
    }

    private BeanFactory beans() {
        if (beans == null) {
            throw new IllegalStateException("no bean factory was told");
        }
        return beans;
    }

    private record Indicator(BeanFactory beans) implements InvocationHandler {
        @Override
        public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] arguments) throws Throwable {
            if (method.isDefault()) {
                return InvocationHandler.invokeDefault(proxy, method, arguments);
            }
            return method.getDeclaringClass() == Object.class
                    ? method.invoke(this, arguments)
                    : health(
                            method.getReturnType(),
                            beans.getBean(GuardHealth.class).look());
        }

        /** {@code Health.status(..).withDetails(..).build()} */
        private static Object health(Class<?> health, GuardHealth.Told told) throws ReflectiveOperationException {
            Object builder = health.getMethod("status", String.class).invoke(null, told.status());
            Class<?> type = builder.getClass();
            type.getMethod("withDetails", Map.class).invoke(builder, told.details());
            return type.getMethod("build").invoke(builder);
        }
    }
}
