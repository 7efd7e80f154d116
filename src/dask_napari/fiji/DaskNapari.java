import ij.CompositeImage;
import ij.IJ;
import ij.ImageListener;
import ij.ImagePlus;
import ij.VirtualStack;
import ij.gui.ImageWindow;
import ij.gui.OvalRoi;
import ij.gui.Overlay;
import ij.gui.PointRoi;
import ij.gui.PolygonRoi;
import ij.gui.Roi;
import ij.gui.ScrollbarWithLabel;
import ij.gui.StackWindow;
import ij.measure.Calibration;
import ij.plugin.frame.RoiManager;
import ij.process.ByteProcessor;
import ij.process.ColorProcessor;
import ij.process.FloatPolygon;
import ij.process.FloatProcessor;
import ij.process.ImageProcessor;
import ij.process.LUT;
import ij.process.ShortProcessor;
import java.awt.Color;
import java.awt.EventQueue;
import java.awt.Point;
import java.awt.Rectangle;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Shows the planes of `dask-napari fiji` as growing hyperstacks, and its ROIs in the ROI manager.
 *
 * Commands come as lines on standard input, fields separated by tabs; pixels and vertices lie in a
 * file without a name that both processes hold open. Replies go to standard output. ImageJ ends
 * when standard input does. No text that comes from a stream is ever run as a macro.
 */
public class DaskNapari implements Runnable, ImageListener {
    private static final String REPLY = "@dask-napari ";
    private static final int ITEMS_A_REFRESH = 64;

    private final PrintStream replies =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true);
    private final RandomAccessFile file;
    private final Map<Integer, Axis> axes = new HashMap<>();
    private final Map<Integer, Stack> stacks = new ConcurrentHashMap<>();
    private final Map<Integer, RoiSet> roiSets = new HashMap<>();
    private final Set<RoiSet> newRois = new LinkedHashSet<>();
    private final List<String> done = new ArrayList<>();
    private RoiSet current;
    private boolean axesMoved;
    private String failure;

    DaskNapari(String path) throws IOException {
        file = new RandomAccessFile(path, "r");
    }

    /** Begins to read commands; called by the macro with which ImageJ is started. */
    public static String start(String path) throws IOException {
        new Thread(new DaskNapari(path), "dask-napari").start();
        return "";
    }

    @Override
    public void run() {
        ImagePlus.addImageListener(this);
        reply("ready\t" + IJ.getVersion());
        try {
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                try {
                    handle(line.split("\t", -1));
                } catch (Throwable error) { // costs this item
                    if (failure == null) failure = text(error);
                }
                if (!in.ready() || done.size() >= ITEMS_A_REFRESH)
                    EventQueue.invokeAndWait(this::refresh); // painting must not come between
            }
        } catch (IOException | ReflectiveOperationException | InterruptedException error) {
            reply("error\t" + error);
        } finally {
            Thread last = new Thread(() -> {
                IJ.wait(2000); // a hook or a dialog may hold up the orderly end
                Runtime.getRuntime().halt(0);
            });
            last.setDaemon(true);
            last.start();
            System.exit(0);
        }
    }

    private synchronized void reply(String text) {
        replies.println(REPLY + text);
    }

    private void handle(String[] f) throws IOException {
        switch (f[0]) {
            case "axis":
                axes.computeIfAbsent(number(f[1]), n -> new Axis()).insert(number(f[2]));
                axesMoved = true;
                break;
            case "window":
                stacks.put(number(f[1]), new Stack(f));
                break;
            case "channel":
                stacks.get(number(f[1])).range(number(f[2])).color = f[3];
                break;
            case "plane":
                stacks.get(number(f[1])).put(f);
                break;
            case "gone":
                stacks.get(number(f[1])).remove(key(f));
                break;
            case "rois":
                RoiSet old = roiSets.remove(number(f[1]));
                current = new RoiSet(f[2], f[3], old);
                roiSets.put(number(f[1]), current);
                newRois.add(current);
                break;
            case "group":
                current.add(f);
                break;
            case "done":
                done.add((failure == null ? "shown\t" : "failed\t") + f[1]
                    + (failure == null ? "" : "\t" + failure));
                failure = null;
                break;
            default:
                failure = "unknown command " + f[0];
        }
    }

    /** Brings the windows up to date with what has been told. */
    private void refresh() {
        String error = null;
        try {
            boolean opened = false;
            for (Stack stack : stacks.values()) opened |= stack.update();
            for (RoiSet set : newRois) set.show();
            if (axesMoved) for (RoiSet set : roiSets.values()) set.place();
            if (axesMoved || opened || !newRois.isEmpty())
                for (Stack stack : stacks.values()) stack.overlay();
        } catch (Throwable thrown) {
            error = text(thrown);
        }
        newRois.clear();
        axesMoved = false;
        for (String each : done) {
            String id = each.split("\t", 3)[1];
            reply(error != null ? "failed\t" + id + "\t" + error : each);
        }
        done.clear();
    }

    @Override
    public void imageOpened(ImagePlus imp) {}

    @Override
    public void imageUpdated(ImagePlus imp) {}

    @Override
    public void imageClosed(ImagePlus imp) {
        ImageWindow window = imp.getWindow(); // ImageJ tells of windows that it replaces, too
        if (window != null && !window.isClosed()) return;
        for (Map.Entry<Integer, Stack> each : stacks.entrySet())
            if (each.getValue().imp == imp) {
                each.getValue().closed = true;
                reply("closed\t" + each.getKey());
            }
    }

    private static String text(Throwable error) {
        StackTraceElement[] where = error.getStackTrace();
        return (error + (where.length > 0 ? " at " + where[0] : "")).replaceAll("\\s", " ");
    }

    private static int number(String text) {
        return Integer.parseInt(text);
    }

    /** Identity of a plane of a stack, by the numbers of its coordinates. */
    private static List<Integer> key(String[] f) {
        return Arrays.asList(number(f[2]), number(f[3]), number(f[4]));
    }

    private byte[] read(long offset, int nbytes) throws IOException {
        byte[] bytes = new byte[nbytes];
        synchronized (file) {
            file.seek(offset);
            file.readFully(bytes);
        }
        return bytes;
    }

    private int place(int axis, int number) {
        Axis found = axes.get(axis);
        return found == null ? 0 : found.order.indexOf(number) + 1;
    }

    /** Coordinates in the order in which a slider shows them, by their numbers of arrival. */
    private static class Axis {
        final List<Integer> order = new ArrayList<>();

        void insert(int index) {
            order.add(index, order.size());
        }
    }

    /** Contrast of one channel: what was set last, and whether the user has changed it since. */
    private static class Range {
        double low = Double.NaN, high = Double.NaN; // as they should be
        double lowSet = Double.NaN, highSet = Double.NaN;
        boolean fixed, isUsers;
        String color;
        LUT given, lut; // the table that was set last; the one that the user has set

        boolean isKnown() {
            lowSet = low;
            highSet = high;
            return !Double.isNaN(low);
        }

        void widen(double least, double most) {
            if (fixed || isUsers || Double.isNaN(least)) return;
            low = Double.isNaN(low) ? least : Math.min(low, least);
            high = Double.isNaN(high) ? most : Math.max(high, most);
            if (high <= low) high = low + 1;
        }

        void learn(LUT shown, double least, double most) {
            if (given != null && !Arrays.equals(shown.getBytes(), given.getBytes())) lut = shown;
            double close = 1e-3 * (highSet - lowSet); // limits are rounded on their way
            if (Math.abs(least - lowSet) > close || Math.abs(most - highSet) > close) {
                isUsers = true;
                low = least;
                high = most;
            }
        }
    }

    private static class Plane {
        final long offset;
        final String label;

        Plane(long offset, String label) {
            this.offset = offset;
            this.label = label;
        }
    }

    /** One hyperstack, whose planes are read from the file when they are looked at. */
    private class Stack extends VirtualStack {
        final String title, lut, unit, info;
        final int depth, c, z, t;
        final double[] pixel = new double[3];
        final Map<List<Integer>, Plane> planes = new ConcurrentHashMap<>();
        final Map<Integer, Range> ranges = new ConcurrentHashMap<>();
        final Set<Roi> drawn = Collections.newSetFromMap(new IdentityHashMap<>());
        final Set<List<Integer>> fresh = new LinkedHashSet<>();
        final double low, high;
        volatile int[][] orders = {{0}, {0}, {0}}; // replaced together, read by ImageJ's threads
        volatile ImagePlus imp;
        volatile boolean closed;

        Stack(String[] f) {
            super(number(f[4]), number(f[5]), null, "");
            title = f[2];
            depth = number(f[3]);
            c = number(f[6]);
            z = number(f[7]);
            t = number(f[8]);
            lut = f[9];
            low = Double.parseDouble(f[10]);
            high = Double.parseDouble(f[11]);
            for (int n = 0; n < 3; n++) pixel[n] = Double.parseDouble(f[12 + n]);
            unit = f[15];
            info = f[16].replace("; ", "\n");
        }

        Range range(int channel) {
            return ranges.computeIfAbsent(channel, n -> {
                Range range = new Range();
                range.fixed = !Double.isNaN(high);
                range.low = low;
                range.high = high;
                return range;
            });
        }

        void put(String[] f) {
            List<Integer> key = key(f);
            planes.put(key, new Plane(Long.parseLong(f[5]), f[8]));
            range(key.get(0)).widen(Double.parseDouble(f[6]), Double.parseDouble(f[7]));
            fresh.add(key);
        }

        void remove(List<Integer> key) {
            planes.remove(key);
            fresh.add(key);
        }

        private int[] order(int axis) {
            Axis found = axes.get(axis);
            if (found == null || found.order.isEmpty()) return new int[] {0};
            return found.order.stream().mapToInt(Integer::intValue).toArray();
        }

        private List<Integer> keyOf(int n) {
            int[][] now = orders;
            int channels = now[0].length, slices = now[1].length;
            int frame = Math.min((n - 1) / (channels * slices), now[2].length - 1);
            return Arrays.asList(now[0][(n - 1) % channels],
                now[1][(n - 1) / channels % slices], now[2][frame]);
        }

        private int[] position() {
            return new int[] {imp.getChannel(), imp.getSlice(), imp.getFrame()};
        }

        /** Shows what has come since; returns whether another window does so now. */
        boolean update() {
            int[][] next = {order(c), order(z), order(t)};
            boolean grown = !Arrays.deepEquals(orders, next);
            closed |= imp != null && imp.getWindow() == null;
            if (closed || imp == null && planes.isEmpty() || !grown && fresh.isEmpty()) {
                fresh.clear();
                return false;
            }
            ImageWindow earlier = imp == null ? null : imp.getWindow();
            if (imp == null) {
                orders = next;
                open(null);
                List<Integer> newest = new ArrayList<>(fresh).get(fresh.size() - 1);
                int[] to = new int[3];
                for (int axis = 0; axis < 3; axis++)
                    while (orders[axis][to[axis]++] != newest.get(axis)) {}
                imp.setPosition(to[0], to[1], to[2]);
            } else {
                learnContrast();
                int[][] before = orders;
                int[] at = position();
                boolean changed = fresh.contains(keyOf(imp.getCurrentSlice())) || depth == 24;
                int channels = imp.getNChannels();
                for (List<Integer> key : fresh) // other channels are part of what is seen
                    changed |= channels > 1 && key.get(2) == before[2][at[2] - 1];
                boolean follows = lastFrame(before, at, fresh) <= at[2];
                orders = next;
                int[] to = find(before, at);
                if (follows) to[2] = Math.max(to[2], lastFrame(orders, to, new LinkedHashSet<>()));
                if (grown) grow(before);
                if (!Arrays.equals(to, position())) imp.setPosition(to[0], to[1], to[2]);
                if (grown || changed) draw();
                setContrast();
            }
            fresh.clear();
            return imp.getWindow() != earlier;
        }

        /** Draws the ROIs of the frames of this window; what the user has drawn there stays. */
        void overlay() {
            if (imp == null || closed) return;
            Overlay old = imp.getOverlay(), next = new Overlay();
            for (int n = 0; old != null && n < old.size(); n++)
                if (!drawn.contains(old.get(n))) next.add(old.get(n));
            drawn.clear();
            for (RoiSet set : roiSets.values())
                for (Map.Entry<Roi, int[]> each : set.places.entrySet()) {
                    int[] at = each.getValue();
                    if (at[4] != t) continue;
                    Roi roi = (Roi) each.getKey().clone();
                    if (imp.isHyperStack()) set.put(roi, at);
                    else roi.setPosition(Math.max(place(at[2], at[3]), place(at[4], at[5])));
                    drawn.add(roi);
                    next.add(roi);
                }
            if (!drawn.isEmpty() || old != null) imp.setOverlay(next);
        }

        private void open(ImagePlus old) {
            ImagePlus image = new ImagePlus(title, this);
            image.setDimensions(orders[0].length, orders[1].length, orders[2].length);
            image.setOpenAsHyperStack(true);
            Calibration calibration = new Calibration(image);
            calibration.pixelWidth = pixel[2];
            calibration.pixelHeight = pixel[1];
            calibration.pixelDepth = pixel[0];
            calibration.setUnit(unit);
            image.setCalibration(calibration);
            image.setProperty("Info", info);
            if (depth != 24 && orders[0].length == 1) {
                Range range = range(orders[0][0]);
                range.given = range.lut != null ? range.lut : ramp(lut);
                image.getProcessor().setLut(range.given);
            }
            if (orders[0].length > 1) {
                image = new CompositeImage(image, CompositeImage.COMPOSITE);
                image.setOpenAsHyperStack(true);
            }
            imp = image;
            setContrast();
            image.show();
            setContrast();
            if (old != null) {
                Point corner = old.getWindow().getLocation();
                image.setRoi(old.getRoi());
                image.setOverlay(old.getOverlay());
                old.changes = false;
                old.close();
                image.getWindow().setLocation(corner);
            }
        }

        /** Returns the last frame that has a plane where the user looks, but for some planes. */
        private int lastFrame(int[][] order, int[] at, Set<List<Integer>> but) {
            for (int frame = order[2].length; frame > 0; frame--) {
                List<Integer> key = Arrays.asList(
                    order[0][at[0] - 1], order[1][at[1] - 1], order[2][frame - 1]);
                if (planes.containsKey(key) && !but.contains(key)) return frame;
            }
            return 0;
        }

        /** Returns where the plane is now that the user saw before. */
        private int[] find(int[][] before, int[] at) {
            int[] to = {1, 1, 1};
            for (int axis = 0; axis < 3; axis++)
                for (int n = 0; n < orders[axis].length; n++)
                    if (orders[axis][n] == before[axis][at[axis] - 1]) to[axis] = n + 1;
            return to;
        }

        /** Makes room for new coordinates. */
        private void grow(int[][] before) {
            int frames = orders[2].length;
            if (orders[0].length > 1 && !(imp instanceof CompositeImage)) {
                open(imp);
            } else {
                boolean isSame = true; // whether there is a slider for each axis that needs one
                for (int axis = 0; axis < 3; axis++)
                    isSame &= before[axis].length > 1 == orders[axis].length > 1;
                ImageWindow window = imp.getWindow();
                double zoom = window.getCanvas().getMagnification();
                Rectangle seen = window.getCanvas().getSrcRect();
                isSame &= window instanceof StackWindow && lengthen((StackWindow) window);
                imp.setStack(this, orders[0].length, orders[1].length, frames);
                if (!isSame && imp.getWindow() == window) {
                    imp.setOpenAsHyperStack(true);
                    new StackWindow(imp);
                }
                if (imp.getWindow() != window) {
                    imp.getCanvas().setMagnification(zoom);
                    imp.getCanvas().setSourceRect(seen);
                }
            }
        }

        /** Lengthens the sliders. ImageJ itself would open another window at each new coordinate. */
        private boolean lengthen(StackWindow window) {
            try {
                boolean isHyperstack = window.isHyperStack();
                String[] counts = {"nChannels", "nSlices", "nFrames"};
                String[] sliders = {"cSelector", "zSelector", "tSelector"};
                for (int axis = 0; axis < 3; axis++) {
                    int length = orders[axis].length;
                    if (!isHyperstack) length = axis == 1 ? getSize() : 1;
                    field(counts[axis]).setInt(window, length);
                    Object slider = field(sliders[axis]).get(window);
                    if (slider != null) ((ScrollbarWithLabel) slider).setMaximum(length + 1);
                }
                return true;
            } catch (ReflectiveOperationException | RuntimeException error) {
                return false;
            }
        }

        private Field field(String name) throws ReflectiveOperationException {
            Field found = StackWindow.class.getDeclaredField(name);
            found.setAccessible(true);
            return found;
        }

        private void draw() {
            if (imp instanceof CompositeImage) ((CompositeImage) imp).reset();
            imp.getProcessor().setPixels(getPixels(imp.getCurrentSlice()));
            imp.updateAndDraw();
            imp.getWindow().repaint(); // the label of the plane
        }

        private void learnContrast() {
            if (depth == 24) return;
            if (imp instanceof CompositeImage) {
                LUT[] luts = ((CompositeImage) imp).getLuts();
                for (int n = 0; n < Math.min(luts.length, orders[0].length); n++)
                    range(orders[0][n]).learn(luts[n], luts[n].min, luts[n].max);
            } else {
                LUT shown = imp.getProcessor().getLut();
                range(orders[0][0]).learn(
                    shown, imp.getDisplayRangeMin(), imp.getDisplayRangeMax());
            }
        }

        private void setContrast() {
            if (depth == 24) return;
            if (imp instanceof CompositeImage) {
                for (int n = 0; n < orders[0].length; n++) {
                    Range range = range(orders[0][n]);
                    Color[] usual = CompositeImage.colors;
                    LUT shown = range.lut != null ? (LUT) range.lut.clone()
                        : range.color != null ? ramp(range.color)
                        : LUT.createLutFromColor(n < usual.length ? usual[n] : Color.white);
                    range.given = shown;
                    if (range.isKnown()) {
                        shown.min = range.low;
                        shown.max = range.high;
                    }
                    ((CompositeImage) imp).setChannelLut(shown, n + 1);
                }
            } else {
                Range range = range(orders[0][0]);
                if (range.isKnown()) imp.setDisplayRange(range.low, range.high);
            }
            if (imp.getWindow() != null) imp.updateAndDraw();
        }

        @Override
        public ImageProcessor getProcessor(int n) {
            Object pixels = getPixels(n);
            int width = getWidth(), height = getHeight();
            ImageProcessor made = depth == 8 ? new ByteProcessor(width, height, (byte[]) pixels, null)
                : depth == 16 ? new ShortProcessor(width, height, (short[]) pixels, null)
                : depth == 24 ? new ColorProcessor(width, height, (int[]) pixels)
                : new FloatProcessor(width, height, (float[]) pixels, null);
            if (depth == 24) return made;
            Range range = range(keyOf(n).get(0));
            if (!lut.isEmpty()) made.setColorModel(ramp(lut));
            if (!Double.isNaN(range.low)) made.setMinAndMax(range.low, range.high);
            return made;
        }

        @Override
        public Object getPixels(int n) {
            int size = getWidth() * getHeight();
            Plane plane = planes.get(keyOf(n));
            byte[] bytes = new byte[0];
            try {
                if (plane != null) bytes = read(plane.offset, size * (depth == 24 ? 4 : depth / 8));
            } catch (IOException error) {
                IJ.log(title + ": " + error);
            }
            ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            if (depth == 8) return bytes.length > 0 ? bytes : new byte[size];
            if (depth == 16) {
                short[] pixels = new short[size];
                if (bytes.length > 0) buffer.asShortBuffer().get(pixels);
                return pixels;
            }
            if (depth == 24) {
                int[] pixels = new int[size];
                if (bytes.length > 0) buffer.asIntBuffer().get(pixels);
                return pixels;
            }
            float[] pixels = new float[size];
            if (bytes.length > 0) buffer.asFloatBuffer().get(pixels);
            return pixels;
        }

        @Override
        public int getSize() {
            return size();
        }

        public int size() {
            int[][] now = orders;
            return now == null ? 1 : now[0].length * now[1].length * now[2].length;
        }

        @Override
        public int getBitDepth() {
            return depth;
        }

        @Override
        public String getSliceLabel(int n) {
            Plane plane = planes.get(keyOf(n));
            return plane == null ? "(nothing here yet)" : plane.label;
        }

        @Override
        public String getFileName(int n) {
            return getSliceLabel(n);
        }

        @Override
        public void deleteSlice(int n) {} // the stream says what is there
    }

    /** Returns the table of a colour, `#rrggbb`, of labels, or of gray. */
    static LUT ramp(String color) {
        byte[][] table = new byte[3][256];
        int end = color.startsWith("#") ? Integer.parseInt(color.substring(1), 16) : 0xffffff;
        for (int n = 0; n < 256; n++) {
            int at = ((end >> 16 & 255) * n / 255) << 16 | ((end >> 8 & 255) * n / 255) << 8
                | (end & 255) * n / 255;
            if (color.equals("labels")) // hues that are far apart, black for no label
                at = n == 0 ? 0 : Color.HSBtoRGB(n * 0.618034f, 0.55f + 0.15f * (n % 4),
                    1f - 0.15f * (n / 4 % 3));
            for (int band = 0; band < 3; band++) table[band][n] = (byte) (at >> 16 - 8 * band);
        }
        return new LUT(table[0], table[1], table[2]);
    }

    /** The ROIs of one output, in the manager. */
    private class RoiSet {
        final String name;
        final Color color;
        RoiSet replaced;
        final Map<Roi, int[]> places = new IdentityHashMap<>();
        private List<Roi> waiting = new ArrayList<>();
        private final List<int[]> where = new ArrayList<>();

        RoiSet(String name, String color, RoiSet replaced) {
            this.name = name;
            this.color = Color.decode(color);
            this.replaced = replaced;
        }

        /** Adds the ROIs of one plane: of each its type, number of vertices, and these. */
        void add(String[] f) throws IOException {
            int[] at = new int[6]; // axis and number of the coordinate: channel, slice, frame
            for (int n = 0; n < 6; n++) at[n] = number(f[n + 1]);
            ByteBuffer data = ByteBuffer.wrap(read(Long.parseLong(f[7]), number(f[8])))
                .order(ByteOrder.LITTLE_ENDIAN);
            while (data.hasRemaining()) {
                int type = data.getInt();
                float[] x = new float[data.getInt()], y = new float[x.length];
                for (int n = 0; n < x.length; n++) {
                    x[n] = data.getFloat();
                    y[n] = data.getFloat();
                }
                waiting.add(roi(type, x, y));
                where.add(at);
            }
        }

        private Roi roi(int type, float[] x, float[] y) {
            switch (type) {
                case 0:
                    return new PolygonRoi(x, y, Roi.POLYGON);
                case 1:
                    return new Roi((double) x[0], y[0], x[1] - x[0], y[1] - y[0]);
                case 2:
                    return new OvalRoi((double) x[0], y[0], x[1] - x[0], y[1] - y[0]);
                case 3:
                    return new PolygonRoi(x, y, Roi.POLYLINE);
                default:
                    return new PointRoi(new FloatPolygon(x, y, x.length));
            }
        }

        void show() {
            RoiManager manager = RoiManager.getInstance();
            if (manager == null) manager = new RoiManager();
            if (replaced != null) replaced.removeFrom(manager);
            replaced = null;
            for (int n = 0; n < waiting.size(); n++) {
                Roi roi = waiting.get(n);
                roi.setName(waiting.size() > 1 ? name + " " + (n + 1) : name);
                roi.setStrokeColor(color);
                put(roi, where.get(n));
                manager.add((ImagePlus) null, roi, -1); // which keeps a copy
                places.put(manager.getRoi(manager.getCount() - 1), where.get(n));
            }
            waiting = new ArrayList<>();
            where.clear();
        }

        private void removeFrom(RoiManager manager) {
            Roi[] all = manager.getRoisAsArray();
            int[] own = new int[all.length];
            int count = 0;
            for (int n = 0; n < all.length; n++) if (places.containsKey(all[n])) own[count++] = n;
            if (count == 0) return; // without a selection, ImageJ would delete all of them
            manager.setSelectedIndexes(Arrays.copyOf(own, count));
            manager.runCommand("Delete");
        }

        /** Gives the ROIs the indices that their coordinates have now. */
        void place() {
            for (Map.Entry<Roi, int[]> each : places.entrySet()) put(each.getKey(), each.getValue());
        }

        private void put(Roi roi, int[] at) {
            roi.setPosition(DaskNapari.this.place(at[0], at[1]),
                DaskNapari.this.place(at[2], at[3]), DaskNapari.this.place(at[4], at[5]));
        }
    }
}
