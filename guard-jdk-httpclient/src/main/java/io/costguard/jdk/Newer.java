package io.costguard.jdk;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.InetAddress;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Methods of newer Java than the one this is compiled for. */
enum Newer {
    SHUTDOWN(HttpClient.class, "shutdown", void.class),
    AWAIT_TERMINATION(HttpClient.class, "awaitTermination", boolean.class, Duration.class),
    IS_TERMINATED(HttpClient.class, "isTerminated", boolean.class),
    SHUTDOWN_NOW(HttpClient.class, "shutdownNow", void.class),
    CLOSE(HttpClient.class, "close", void.class),
    LOCAL_ADDRESS(HttpClient.Builder.class, "localAddress", HttpClient.Builder.class, InetAddress.class);

    private final @Nullable MethodHandle method;

    Newer(Class<?> owner, String name, Class<?> result, Class<?>... parameters) {
        this.method = find(owner, name, MethodType.methodType(result, parameters));
    }

    private static @Nullable MethodHandle find(Class<?> owner, String name, MethodType type) {
        try {
            return MethodHandles.publicLookup().findVirtual(owner, name, type);
        } catch (NoSuchMethodException | IllegalAccessException e) {
            return null;
        }
    }

    /** @throws UnsupportedOperationException on a Java that does not have it */
    @Nullable Object call(Object... receiverAndArguments) {
        try {
            return callInterruptibly(receiverAndArguments);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Nullable Object callInterruptibly(Object... receiverAndArguments) throws InterruptedException {
        if (method == null) {
            throw new UnsupportedOperationException("this Java has no such method: " + name());
        }
        try {
            return method.invokeWithArguments(Arrays.asList(receiverAndArguments));
        } catch (InterruptedException | RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
