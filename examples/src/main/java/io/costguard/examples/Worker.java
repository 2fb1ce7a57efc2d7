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
        try (CostGuard guard = Fleet.guard(args[2], args[3], new Events(name))) {
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

    /** Tells the demo of each thing that happens. */
    private record Events(String worker) implements GuardListener {
        @Override
        public void onGranted(Grant event) {
            String left = event.left().stream()
                    .min(Comparator.comparingDouble(limit -> (double) limit.balance() / limit.capacity()))
                    .map(limit -> "; left: " + limit)
                    .orElse("");
            long waited = event.waited().toMillis();
            String detail = event.estimate() + " at most" + left + (waited > 0 ? "; waited " + waited + " ms" : "");
            tell(Event.What.GRANTED, event.call().model(), detail, waited);
        }

        @Override
        public void onWaiting(Waiting event) {
            tell(Event.What.WAITING, event.call().model(), event.expected() + " at the earliest", 0);
        }

        @Override
        public void onDenied(Denied event) {
            tell(Event.What.DENIED, event.call().model(), event.denial() + ", says " + event.by(), 0);
        }

        @Override
        public void onSettled(Settlement event) {
            String how = event.outcome() == Outcome.REPORTED ? "" : ", " + event.outcome();
            tell(Event.What.SETTLED, event.call().model(), event.actual() + how, 0);
        }

        private void tell(Event.What what, String model, String detail, long waitedMillis) {
            Event event = new Event(System.currentTimeMillis(), worker, what, model, detail, waitedMillis);
            System.out.print(event.written() + "\n"); // in one piece
        }
    }
}
