package peers;

import java.time.Duration;
import java.util.*;
import org.apache.flink.api.common.eventtime.*;
import org.apache.flink.api.common.functions.*;
import org.apache.flink.api.common.state.*;
import org.apache.flink.api.common.typeinfo.*;
import org.apache.flink.cep.*;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.*;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.*;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.*;
import org.apache.flink.streaming.api.functions.source.legacy.SourceFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.util.Collector;

/** Local environment, parallelism 1, object reuse, heap state; watermarks for ascending timestamps every 200 ms (default). */
final class FlinkEngine implements Main.Engine {
    static volatile long firstIn, firstCpu;
    static volatile int pushed;
    static long matches;      // one sink subtask at a time
    static long limit;        // nanoseconds from the first event on: starting a job may take long

    static final class Objects<T> implements SourceFunction<T> {
        @SuppressWarnings("unchecked")
        public void run(SourceContext<T> c) throws Exception {
            firstCpu = Main.cpu();
            firstIn = System.nanoTime();
            long deadline = firstIn + limit;
            int i = 0;
            Object[] a = Data.json ? Data.lines : Data.events;
            for (; i < a.length; i++) {
                if ((i & 255) == 0 && System.nanoTime() > deadline) break;
                c.collect((T) a[i]);
                if (Main.heap) a[i] = null;
            }
            pushed = i;
            if (Main.heap) { Thread.sleep(30_000); Main.sample(); }   // let the buffered events drain behind the watermark
        }
        public void cancel() {}
    }

    static final class Count<T> extends ProcessFunction<T, Void> {
        public void processElement(T v, Context c, Collector<Void> out) { matches++; }
    }

    static final class CountMatch<T> extends PatternProcessFunction<T, Long> {
        public void processMatch(Map<String, List<T>> m, Context c, Collector<Long> out) { out.collect(1L); }
    }

    static final class Agg implements AggregateFunction<Payment, double[], double[]> {
        public double[] createAccumulator() { return new double[2]; }
        public double[] add(Payment p, double[] a) { a[0]++; a[1] += p.amount; return a; }
        public double[] getResult(double[] a) { return a; }
        public double[] merge(double[] a, double[] b) { return new double[]{a[0] + b[0], a[1] + b[1]}; }
    }

    /** No CEP or window operator gives a per-event sliding count: a keyed function with a ring of timestamps. */
    static final class Sliding extends KeyedProcessFunction<String, Payment, Long> {
        private transient ValueState<ArrayDeque<Long>> state;
        public void open(OpenContext c) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("q", TypeInformation.of(new TypeHint<ArrayDeque<Long>>() {})));
        }
        public void processElement(Payment p, Context c, Collector<Long> out) throws Exception {
            ArrayDeque<Long> q = state.value();
            if (q == null) state.update(q = new ArrayDeque<>());
            q.addLast(p.ts);
            while (q.peekFirst() <= p.ts - 60_000) q.pollFirst();
            if (q.size() >= Main.W3_N) out.collect(p.ts);
        }
    }

    static final class Rule implements FilterFunction<Payment> {
        final String merchant;
        final double min;
        Rule(int i) { merchant = Main.ruleMerchant(i); min = Main.ruleMin(i); }
        public boolean filter(Payment p) { return p.amount > min && p.merchant.equals(merchant); }
    }

    interface Test<T> extends java.io.Serializable { boolean ok(T e, IterativeCondition.Context<T> c) throws Exception; }

    static <T> IterativeCondition<T> when(Test<T> t) {
        return new IterativeCondition<>() {
            public boolean filter(T e, Context<T> c) throws Exception { return t.ok(e, c); }
        };
    }

    static <T> T got(IterativeCondition.Context<T> c, String name) throws Exception {
        return c.getEventsForPattern(name).iterator().next();
    }

    static <T> SimpleCondition<T> is(FilterFunction<T> f) { return SimpleCondition.of(f); }

    static Pattern<Payment, ?> pattern(String w) {
        return switch (w) {
            case "W4" -> Pattern.<Payment>begin("a", AfterMatchSkipStrategy.noSkip()).where(is(p -> p.amount < 20))
                    .followedBy("b").where(is(p -> p.amount > 900)).within(Duration.ofMillis(60_000));
            case "W5" -> Pattern.<Payment>begin("a", AfterMatchSkipStrategy.noSkip()).where(is(p -> p.amount < 100))
                    .followedBy("b").where(when((p, c) -> p.amount > got(c, "a").amount * 5))
                    .followedBy("c").where(when((p, c) -> p.amount > got(c, "b").amount * 1.5 && !p.country.equals(got(c, "a").country)))
                    .within(Duration.ofMillis(60_000));
            case "W6" -> Pattern.<Payment>begin("s", AfterMatchSkipStrategy.skipPastLastEvent()).where(is(p -> p.amount < 100)).timesOrMore(3)
                    .followedBy("b").where(is(p -> p.amount > 800)).within(Duration.ofMillis(120_000));
            case "W7" -> Pattern.<Payment>begin("a", AfterMatchSkipStrategy.noSkip()).where(is(p -> p.amount > 950))
                    .notFollowedBy("b").where(is(p -> true)).within(Duration.ofMillis(30_000));
            default -> throw new IllegalArgumentException(w);
        };
    }

    static Pattern<Stock, ?> stockPattern(int n) {
        return Pattern.<Stock>begin("a", AfterMatchSkipStrategy.noSkip()).where(is(s -> s.type.equals("SELL") && s.name.equals("MSFT")))
                .followedByAny("b").where(is(s -> s.type.equals("BUY") && s.name.equals("ORCL")))
                .followedByAny("c").where(is(s -> s.type.equals("SELL") && s.name.equals("CSCO"))).within(Duration.ofMillis(n));
    }

    static <T> DataStream<T> source(StreamExecutionEnvironment env, Class<T> type, MapFunction<byte[], T> parse, SerializableTimestampAssigner<T> ts) {
        TypeInformation<T> info = TypeInformation.of(type);
        DataStream<T> s = Data.json
                ? env.addSource(new Objects<byte[]>(), "mem", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO).map(parse).returns(info)
                : env.addSource(new Objects<T>(), "mem", info);
        return s.assignTimestampsAndWatermarks(WatermarkStrategy.<T>forMonotonousTimestamps().withTimestampAssigner(ts));
    }

    public Main.Run run(Main.Job j) throws Exception {
        long t0 = System.nanoTime();
        matches = 0;
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, new Configuration());
        env.getConfig().enableObjectReuse();
        if (j.w().equals("W9")) {
            DataStream<Stock> s = source(env, Stock.class, Data::stock, (e, t) -> e.ts);
            CEP.pattern(s, stockPattern(j.n())).process(new CountMatch<>()).process(new Count<>());
        } else {
            DataStream<Payment> s = source(env, Payment.class, Data::payment, (e, t) -> e.ts);
            KeyedStream<Payment, String> k = j.variant().equals("fused")     // skip the keyBy network hop, legal at parallelism 1
                    ? DataStreamUtils.reinterpretAsKeyedStream(s, p -> p.card) : s.keyBy(p -> p.card);
            switch (j.w()) {
                case "W1" -> s.filter(p -> p.amount > 990).process(new Count<>());
                case "W2" -> k.window(TumblingEventTimeWindows.of(Duration.ofSeconds(60))).aggregate(new Agg())
                        .filter(a -> a[0] >= Main.W2_N).process(new Count<>());
                case "W3" -> k.process(new Sliding()).process(new Count<>());
                case "W8f" -> { for (int i = 0; i < j.n(); i++) s.filter(new Rule(i)).process(new Count<>()); }
                default -> CEP.pattern(k, pattern(j.w())).process(new CountMatch<>()).process(new Count<>());
            }
        }
        limit = (long) (j.limit() * 1e9);
        env.execute();
        long t2 = System.nanoTime(), c2 = Main.cpu();
        return new Main.Run(matches, pushed, (t2 - firstIn) / 1e9, (t2 - t0) / 1e9, (c2 - firstCpu) / 1e9);
    }

    public Class<?> jar() { return CEP.class; }
}
