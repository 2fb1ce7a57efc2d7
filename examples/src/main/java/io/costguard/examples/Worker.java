package io.costguard.examples;

import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.Outcome;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.net.URI;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/** One process of the fleet: makes its calls, tells each as it happens, and comes back later where the guard does not let it go. */
final class Worker {
    private Worker() {}

    /** Arguments: name, kind of client, Redis, key prefix, provider, calls. */
    public static void main(String[] args) throws IOException, InterruptedException {
        String name = args[0];
        int calls = Integer.parseInt(args[5]);
        List<Exchange> exchanges = Provider.exchanges();
        Random random = new Random(name.hashCode());
        try (CostGuard guard = Fleet.guard(args[2], args[3], new Lines(name))) {
            Client client = Client.Kind.valueOf(args[1]).guardedBy(guard, URI.create(args[4]));
            for (int i = 0; i < calls; i++) {
                Exchange exchange = exchanges.get(random.nextInt(exchanges.size()));
                Client.Answer answer = client.send(exchange);
                while (answer.comeBackAfter().isPresent()) {
                    Thread.sleep(answer.comeBackAfter().get().toMillis());
                    answer = client.send(exchange);
                }
            }
            guard.flush();
        }
        System.exit(0); // the clients keep threads for their next call
    }

    /** A line for each thing that happens. */
    private record Lines(String worker) implements GuardListener {
        @Override
        public void onGranted(Grant event) {
            String left = event.left().stream()
                    .min(Comparator.comparingDouble(limit -> (double) limit.balance() / limit.capacity()))
                    .map(limit -> "; left: " + limit)
                    .orElse("");
            print(event.call().model(), "granted", event.estimate() + " at most" + left);
        }

        @Override
        public void onDenied(Denied event) {
            print(event.call().model(), "denied", event.denial() + ", says " + event.by());
        }

        @Override
        public void onSettled(Settlement event) {
            String how = event.outcome() == Outcome.REPORTED ? "" : ", " + event.outcome();
            print(event.call().model(), "settled", event.actual() + how);
        }

        private void print(String model, String what, String detail) {
            // In one piece: the processes share the terminal.
            System.out.print(String.format("%-9s %-26s %-8s %s%n", worker, model, what, detail));
        }
    }
}
