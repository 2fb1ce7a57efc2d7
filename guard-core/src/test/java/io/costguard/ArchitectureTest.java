package io.costguard;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.costguard.limit.Admission;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The direction of the arrows. */
class ArchitectureTest {
    private static final JavaClasses MAIN = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("io.costguard");

    @Test
    void thePackagesAreTheStagesOfACall() {
        assertThat(MAIN).isNotEmpty();
        layeredArchitecture()
                .consideringOnlyDependenciesInAnyPackage("io.costguard..")
                .layer("api")
                .definedBy("io.costguard")
                .layer("describe")
                .definedBy("io.costguard.describe..")
                .layer("limit")
                .definedBy("io.costguard.limit")
                .layer("redis")
                .definedBy("io.costguard.redis")
                .layer("settle")
                .definedBy("io.costguard.settle")
                .layer("http")
                .definedBy("io.costguard.http")
                .whereLayer("http")
                .mayOnlyBeAccessedByLayers("api")
                .whereLayer("redis")
                .mayOnlyBeAccessedByLayers("api")
                .whereLayer("settle")
                .mayOnlyBeAccessedByLayers("http")
                .whereLayer("limit")
                .mayOnlyBeAccessedByLayers("api", "redis", "http")
                .check(MAIN);
    }

    @Test
    void ofTheApiOnlyTheGuardKnowsTheStages() {
        noClasses()
                .that()
                .resideInAPackage("io.costguard")
                .and()
                .doNotHaveSimpleName("CostGuard")
                .and()
                .doNotHaveSimpleName("Builder")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "io.costguard.limit", "io.costguard.redis", "io.costguard.settle", "io.costguard.http")
                .check(MAIN);
    }

    @Test
    void noStageIsInACircle() {
        slices().matching("io.costguard.(*)..").should().beFreeOfCycles().check(MAIN);
    }

    @Test
    void onlyRedisKnowsJedis() {
        noClasses()
                .that()
                .resideOutsideOfPackage("io.costguard.redis")
                .and()
                .doNotHaveFullyQualifiedName("io.costguard.CostGuard$Builder")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("redis.clients..")
                .check(MAIN);
    }

    @Test
    void theCoreKnowsNoHttpClient() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("okhttp3..", "java.net.http..")
                .check(MAIN);
    }

    @Test
    void theMemoryOfDenialsHasNoPathToAGrant() {
        noClasses()
                .that()
                .haveNameMatching("io\\.costguard\\.limit\\.PreCheck.*")
                .should()
                .dependOnClassesThat()
                .areAssignableTo(Admission.class)
                .orShould()
                .dependOnClassesThat()
                .haveNameMatching("io\\.costguard\\.limit\\.(Verdict\\$Granted|Reservation|Charge|Ledger.*)")
                .check(MAIN);
    }

    /** A virtual thread that waits within a monitor keeps its carrier, up to Java 23. */
    @Test
    @Tag("fault-35")
    void whatTalksToRedisOrWaitsHoldsNoMonitor() throws IOException {
        for (String stage : List.of("limit", "redis")) {
            try (Stream<Path> sources = Files.walk(Path.of("src/main/java/io/costguard", stage))) {
                List<Path> files = sources.filter(Files::isRegularFile).toList();
                assertThat(files)
                        .isNotEmpty()
                        .allSatisfy(file -> assertThat(file).content().doesNotContain("synchronized"));
            }
        }
    }
}
