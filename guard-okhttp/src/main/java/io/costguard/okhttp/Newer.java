package io.costguard.okhttp;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Arrays;
import kotlin.jvm.functions.Function0;
import kotlin.reflect.KClass;
import okhttp3.Call;
import okhttp3.EventListener;
import org.jspecify.annotations.Nullable;

/** Methods of a {@link Call} of newer OkHttp than the one this is compiled for. */
enum Newer {
    ADD_EVENT_LISTENER("addEventListener", void.class, EventListener.class),
    TAG("tag", Object.class, Class.class),
    TAG_OF_KOTLIN("tag", Object.class, KClass.class),
    TAG_OR_COMPUTED("tag", Object.class, Class.class, Function0.class),
    TAG_OF_KOTLIN_OR_COMPUTED("tag", Object.class, KClass.class, Function0.class);

    private final @Nullable MethodHandle method;

    Newer(String name, Class<?> result, Class<?>... parameters) {
        this.method = find(name, MethodType.methodType(result, parameters));
    }

    private static @Nullable MethodHandle find(String name, MethodType type) {
        try {
            return MethodHandles.publicLookup().findVirtual(Call.class, name, type);
        } catch (NoSuchMethodException | IllegalAccessException e) {
            return null;
        }
    }

    /** @throws UnsupportedOperationException on an OkHttp that does not have it */
    @Nullable Object call(Object... receiverAndArguments) {
        if (method == null) {
            throw new UnsupportedOperationException("this OkHttp has no such method of a call: " + name());
        }
        try {
            return method.invokeWithArguments(Arrays.asList(receiverAndArguments));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
