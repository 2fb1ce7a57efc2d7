package io.costguard.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.StandardEnvironment;

class SpringRedisTest {
    /** @param properties like {@code host=a port=1}, below {@code spring.data.redis} */
    private static StandardEnvironment environment(String properties) {
        Map<String, Object> said = Stream.of(properties.split(" "))
                .map(each -> each.split("=", 2))
                .collect(Collectors.toMap(each -> "spring.data.redis." + each[0], each -> each[1]));
        StandardEnvironment environment = new StandardEnvironment();
        environment.getPropertySources().addFirst(new MapPropertySource("test", said));
        return environment;
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "host=a                                          | redis://a:6379/0",
                "host=a port=1 database=2                        | redis://a:1/2",
                "host=a password=p                               | redis://:p@a:6379/0",
                "host=a username=u password=p@/:%                | redis://u:p%40%2F:%25@a:6379/0",
                "host=a ssl.enabled=true                         | rediss://a:6379/0",
                "host=a ssl.enabled=false                        | redis://a:6379/0",
                "host=::1                                        | redis://[::1]:6379/0",
                "url=redis://u:p@b:1 host=a password=other       | redis://u:p@b:1",
            })
    void whatIsSaidOfASingleServerIsItsUrl(String properties, String url) {
        assertThat(SpringRedis.url(environment(properties))).contains(url);
    }

    @ParameterizedTest
    @ValueSource(strings = {"port=1", "client-type=jedis", "password=p", "cluster.max-redirects=3"})
    void whereNoServerIsNamedThereIsNone(String properties) {
        assertThat(SpringRedis.url(environment(properties))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"cluster.nodes=a:1,b:1", "cluster.nodes[0]=a:1", "sentinel.master=m", "host=a ssl.bundle=b"})
    void whatAUrlCannotSayIsRefused(String properties) {
        assertThatThrownBy(() -> SpringRedis.url(environment(properties)))
                .isInstanceOf(InvalidPropertyException.class)
                .hasMessageContaining("define a bean of type UnifiedJedis");
    }
}
