// MOA on Elec2 from memory, each row predicted and then learned, several passes, each with a new model. What counts is the
// learning thread's own processor time, after a pass that warms up: neither the compiler nor the collector.
// usage: java -cp 'moa/*' Moa.java elec2.zip
import com.yahoo.labs.samoa.instances.*;
import java.io.*;
import java.lang.management.ManagementFactory;
import java.util.*;
import java.util.zip.ZipFile;
import moa.classifiers.AbstractClassifier;
import moa.classifiers.bayes.NaiveBayes;
import moa.classifiers.trees.HoeffdingTree;

public class Moa {
    public static void main(String[] a) throws Exception {
        List<String> lines = new ArrayList<>();
        try (ZipFile z = new ZipFile(a[0]); BufferedReader r = new BufferedReader(new InputStreamReader(z.getInputStream(z.entries().nextElement())))) {
            for (String s; (s = r.readLine()) != null; ) lines.add(s);
        }
        String[] names = lines.get(0).split(",");
        int last = names.length - 1;
        ArrayList<Attribute> attributes = new ArrayList<>();
        for (int i = 0; i < last; i++) attributes.add(new Attribute(names[i]));
        attributes.add(new Attribute("class", List.of("DOWN", "UP")));
        InstancesHeader header = new InstancesHeader(new Instances("elec2", attributes, 0));
        header.setClassIndex(last);
        List<Instance> rows = new ArrayList<>();
        for (String line : lines.subList(1, lines.size())) {
            String[] f = line.split(",");
            double[] x = new double[names.length];
            for (int i = 0; i < last; i++) x[i] = Double.parseDouble(f[i]);
            x[last] = f[last].equals("UP") ? 1 : 0;
            Instance row = new DenseInstance(1, x);
            row.setDataset(header);
            rows.add(row);
        }
        StringBuilder out = new StringBuilder();
        for (String name : List.of("hoeffding_tree", "gaussian_nb")) {
            int passes = 20, right = 0;
            long used = 0;
            for (int pass = 0; pass <= passes; pass++) {
                AbstractClassifier m = name.equals("gaussian_nb") ? new NaiveBayes() : new HoeffdingTree();
                m.prepareForUse();
                m.setModelContext(header);
                m.resetLearning();
                right = 0;
                long began = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
                for (Instance row : rows) {
                    if (m.correctlyClassifies(row)) right++;
                    m.trainOnInstance(row);
                }
                if (pass > 0) used += ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - began;
            }
            out.append(String.format(Locale.ROOT, "%s\"%s_rows_per_cpu_s\":%.1f,\"%s_accuracy\":%.6f", out.isEmpty() ? "" : ",", name,
                passes * (double) rows.size() / (used / 1e9), name, right / (double) rows.size()));
        }
        System.out.println("{" + out + "}");
        System.exit(0);
    }
}
