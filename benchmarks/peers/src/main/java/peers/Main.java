package peers;

import java.lang.management.*;
import java.util.*;

/** peers.Main ENGINE WORKLOAD FILE [--json] [--n N] [--runs 3] [--warm 8] [--limit SECONDS] [--variant V] [--heap]; prints one JSON line. */
public final class Main {
    static final int W2_N = 20, W3_N = 50;

    /** n is the number of rules (W8f) or the window in events = ms (W9). */
    record Job(String w, int n, String variant, double limit) {}

    /** seconds: first event in to all results out; total: with engine start; cpu: CPU seconds of the whole JVM in that time. pushed < Data.size if the limit struck. */
    record Run(long matches, int pushed, double seconds, double total, double cpu) {}

    interface Engine {
        Run run(Job job) throws Exception;
        Class<?> jar();
    }

    static double ruleMin(int i) { return 900 + i * 37L % 100; }
    static String ruleMerchant(int i) { return String.format("m%03d", i % 1000); }

    public static void main(String[] a) throws Exception {
        Map<String, String> opt = new HashMap<>();
        for (int i = 3; i < a.length; i++) {
            if (a[i].equals("--json") || a[i].equals("--heap")) opt.put(a[i], ""); else opt.put(a[i], a[++i]);
        }
        Engine e = switch (a[0]) {
            case "esper" -> new EsperEngine();
            case "siddhi" -> new SiddhiEngine();
            case "flink" -> new FlinkEngine();
            default -> throw new IllegalArgumentException(a[0]);
        };
        double limit = Double.parseDouble(opt.getOrDefault("--limit", "60"));
        double warmUp = Double.parseDouble(opt.getOrDefault("--warm", "8"));
        int runs = Integer.parseInt(opt.getOrDefault("--runs", "3"));
        Job job = new Job(a[1], Integer.parseInt(opt.getOrDefault("--n", "1")), opt.getOrDefault("--variant", ""), limit);
        Data.load(a[2], a[1].equals("W9"), opt.containsKey("--json"), a[0].equals("siddhi"));
        System.gc();
        long input = used();
        heap = opt.containsKey("--heap");
        if (heap) {
            Run h = e.run(job);
            System.out.printf("{\"engine\":\"%s\",\"workload\":\"%s\",\"n\":%d,\"variant\":\"%s\",\"mode\":\"heap\",\"matches\":%d,\"heap_live_mb\":%d}%n",
                    a[0], job.w, job.n, job.variant, h.matches, live >> 20);
            System.exit(0);
        }
        List<Run> done = new ArrayList<>();
        Run r = e.run(job);                                   // warm-up, for so many seconds: the JIT shares the core
        if (r.pushed < Data.size || r.seconds > limit) done.add(r);  // too slow to repeat
        if (r.seconds > 6) runs = 1;
        for (double warm = 0; warm < warmUp && done.isEmpty(); warm += Math.min(r.total, r.seconds + 2)) r = e.run(job);
        long peak = peak();
        while (done.size() < runs && !(done.size() == 1 && done.get(0) == r)) {
            System.gc();
            resetPeak();
            done.add(e.run(job));
            peak = peak();
        }
        List<String> all = new ArrayList<>();
        for (Run d : done) all.add(String.format(Locale.ROOT, "%.3f", d.seconds));
        done.sort(Comparator.comparingDouble(Run::seconds));
        Run m = done.get(done.size() / 2);
        System.out.printf(Locale.ROOT, "{\"engine\":\"%s\",\"version\":\"%s\",\"workload\":\"%s\",\"n\":%d,\"variant\":\"%s\",\"mode\":\"%s\","
                + "\"cpus\":%d,\"events\":%d,\"complete\":%b,\"matches\":%d,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"with_startup\":%.3f,\"events_per_sec\":%.0f,\"events_per_cpu_sec\":%.0f,"
                + "\"heap_peak_mb\":%d,\"heap_input_mb\":%d,\"runs\":[%s]}%n",
                a[0], version(e.jar()), job.w, job.n, job.variant, Data.json ? "json" : "native", Runtime.getRuntime().availableProcessors(),
                m.pushed, m.pushed == Data.size, m.matches, m.seconds, m.cpu, m.total, m.pushed / m.seconds, m.cpu > 0 ? m.pushed / m.cpu : 0,
                peak >> 20, input >> 20, String.join(",", all));
        System.exit(0);
    }

    static String version(Class<?> c) {
        return c.getProtectionDomain().getCodeSource().getLocation().getPath().replaceAll(".*-([0-9.]+)\\.jar$", "$1");
    }

    /** CPU nanoseconds of this process: engine, GC and JIT threads. */
    static long cpu() { return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime(); }

    static boolean heap;   // --heap: forget each event once pushed, then measure what the engine still holds
    static long live;

    static void sample() {
        if (!heap) return;
        System.gc();
        live = used();
    }

    /** Live after the last collection (a fresh TLAB would blur getHeapMemoryUsage by tens of MB). */
    static long used() {
        long n = 0;
        for (MemoryPoolMXBean p : ManagementFactory.getMemoryPoolMXBeans())
            if (p.getType() == MemoryType.HEAP) n += p.getCollectionUsage().getUsed();
        return n;
    }

    static long peak() {
        long n = 0;
        for (MemoryPoolMXBean p : ManagementFactory.getMemoryPoolMXBeans())
            if (p.getType() == MemoryType.HEAP) n += p.getPeakUsage().getUsed();
        return n;
    }

    static void resetPeak() {
        for (MemoryPoolMXBean p : ManagementFactory.getMemoryPoolMXBeans()) p.resetPeakUsage();
    }
}
