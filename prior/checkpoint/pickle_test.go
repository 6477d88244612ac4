package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// pickled assembles pickles by hand, for what PyTorch 1.13 does not write.
type pickled struct{ bytes.Buffer }

func (p *pickled) op(ops ...byte) *pickled {
	p.Write(ops)
	return p
}

func (p *pickled) global(module, name string) *pickled {
	fmt.Fprintf(p, "c%s\n%s\n", module, name)
	return p
}

func (p *pickled) str(s string) *pickled {
	p.WriteByte(opBinUnicode)
	p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
	return p
}

func (p *pickled) int(v int64) *pickled {
	p.op(opLong1, 8)
	p.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
	return p
}

func (p *pickled) ints(v []int64) *pickled {
	p.op(opMark)
	for _, x := range v {
		p.int(x)
	}
	return p.op(opTuple)
}

// storage pushes a storage.
func (p *pickled) storage(class, key string, n int64) *pickled {
	return p.op(opMark).str("storage").global("torch", class).str(key).str("cpu").int(n).op(opTuple, opBinPersID)
}

// tensor pushes a tensor.
func (p *pickled) tensor(class, key string, n, offset int64, shape, strides []int64) *pickled {
	return p.global("torch._utils", "_rebuild_tensor_v2").op(opMark).storage(class, key, n).
		int(offset).ints(shape).ints(strides).op(opNewFalse, opNone, opTuple, opReduce)
}

// dictOf wraps items, which are keys and values, into a whole pickle.
func dictOf(items func(p *pickled)) []byte {
	p := new(pickled)
	p.op(opProto, 2, opEmptyDict, opMark)
	items(p)
	p.op(opSetItems, opStop)
	return p.Bytes()
}

// zipOf writes an archive as PyTorch does. The files are named within the folder.
func zipOf(t testing.TB, method uint16, files map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: "archive/" + strings.TrimRight(name, "\x00"), Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// torchZip holds the storage "0" of four floats: 1, 2, 3, 4.
func torchZip(t testing.TB, items func(p *pickled)) []byte {
	t.Helper()
	return zipOf(t, zip.Store, map[string][]byte{"data.pkl": dictOf(items), "data/0": floats(1, 2, 3, 4)})
}

func floats(v ...float32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return b
}

func TestTorchNewer(t *testing.T) {
	untyped := func(p *pickled, key string, dt string, offset int64) {
		p.str(key).global("torch._utils", "_rebuild_tensor_v3").op(opMark).storage("UntypedStorage", "0", 16).
			int(offset).ints([]int64{2}).ints([]int64{1}).op(opNewFalse, opNone).global("torch", dt).
			op(opTuple, opReduce)
	}
	f, err := readBytes(torchZip(t, func(p *pickled) {
		untyped(p, "v3", "float32", 2)
		untyped(p, "ints", "int64", 0)
		// A subclass of Tensor, and a parameter with attributes.
		p.str("subclass").global("torch._tensor", "_rebuild_from_type_v2").op(opMark).
			global("torch._utils", "_rebuild_tensor_v2").global("my.module", "Tensor").
			op(opMark).storage("UntypedStorage", "0", 16)
		p.int(0).ints([]int64{2}).ints([]int64{1}).op(opNewFalse, opNone).global("torch", "float32").
			op(opTuple, opEmptyDict, opTuple, opReduce)
		p.str("parameter").global("torch._utils", "_rebuild_parameter_with_state").op(opMark)
		untypedTensor(p)
		p.op(opNewTrue, opNone, opEmptyDict, opTuple, opReduce)
	}))
	if err != nil {
		t.Fatal(err)
	}
	equalTensors(t, f.Tensors, map[string]Tensor{
		"v3": {[]int{2}, []float32{3, 4}}, "subclass": {[]int{2}, []float32{1, 2}},
		"parameter": {[]int{3}, []float32{2, 3, 4}},
	})
	if f.Skipped["ints"] != "int64" {
		t.Errorf("skipped %v", f.Skipped)
	}
}

func untypedTensor(p *pickled) {
	p.global("torch._utils", "_rebuild_tensor_v3").op(opMark).storage("UntypedStorage", "0", 16).
		int(1).ints([]int64{3}).ints([]int64{1}).op(opNewFalse, opNone).global("torch", "float32").
		op(opTuple, opReduce)
}

// legacyOf assembles a legacy file with the storage "0" of four floats.
func legacyOf(value []byte) []byte {
	var b bytes.Buffer
	b.Write([]byte{opProto, 2})
	b.Write(legacyMagic)
	b.WriteString(".\x80\x02M\xe9\x03.")
	b.Write(dictOf(func(p *pickled) { p.str("little_endian").op(opNewTrue) }))
	b.Write(value)
	var keys pickled
	keys.op(opProto, 2, opEmptyList).str("0").op(opAppend, opStop)
	b.Write(keys.Bytes())
	b.Write([]byte{4, 0, 0, 0, 0, 0, 0, 0})
	b.Write(floats(1, 2, 3, 4))
	return b.Bytes()
}

// Very old files hold storages that are views of others, Python 2 strings, and _rebuild_tensor.
func TestLegacyStorageViews(t *testing.T) {
	old := func(p *pickled, name string, first, n, offset int64) {
		p.op(opShortBinString, byte(len(name))).WriteString(name)
		p.global("torch._utils", "_rebuild_tensor").op(opMark).
			op(opMark).str("storage").global("torch.cuda", "FloatStorage").str("0").str("cuda:0").int(4).
			op(opMark).str("view").int(first).int(n).op(opTuple, opTuple, opBinPersID).
			int(offset).ints([]int64{2}).ints([]int64{1}).op(opTuple, opReduce)
	}
	f, err := readBytes(legacyOf(dictOf(func(p *pickled) {
		old(p, "a", 1, 3, 1)
		old(p, "b", 0, 4, 0)
	})))
	if err != nil {
		t.Fatal(err)
	}
	equalTensors(t, f.Tensors, map[string]Tensor{"a": {[]int{2}, []float32{3, 4}}, "b": {[]int{2}, []float32{1, 2}}})

	for _, view := range [][3]int64{{1, 3, 2}, {2, 3, 0}, {-1, 2, 0}, {1, -1, 0}, {5, 0, 0}, {1 << 62, 1 << 62, 0}} {
		_, err := readBytes(legacyOf(dictOf(func(p *pickled) { old(p, "a", view[0], view[1], view[2]) })))
		if !errors.Is(err, ErrFormat) {
			t.Errorf("view %v: %v", view, err)
		}
	}
}

// An old OrderedDict is built from a list of pairs.
func TestOrderedDictOfPairs(t *testing.T) {
	p := new(pickled)
	p.op(opProto, 2).global("collections", "OrderedDict").op(opEmptyList, opEmptyList).str("w").op(opAppend).
		tensor("FloatStorage", "0", 4, 0, []int64{4}, []int64{1}).op(opAppend, opAppend, opTuple1, opReduce, opStop)
	f, err := readBytes(zipOf(t, zip.Store, map[string][]byte{"data.pkl": p.Bytes(), "data/0": floats(1, 2, 3, 4)}))
	if err != nil {
		t.Fatal(err)
	}
	equalTensors(t, f.Tensors, map[string]Tensor{"w": {[]int{4}, []float32{1, 2, 3, 4}}})
}

func TestTorchRejectsTensors(t *testing.T) {
	const huge = int64(1) << 62
	tests := []struct {
		name           string
		class, key     string
		n, offset      int64
		shape, strides []int64
		want           error
		says           string
	}{
		{"past the end", "FloatStorage", "0", 4, 1, []int64{4}, []int64{1}, ErrFormat, "4 elements"},
		{"offset at the end", "FloatStorage", "0", 4, 4, []int64{1}, []int64{1}, ErrFormat, "4 elements"},
		{"huge offset", "FloatStorage", "0", 4, 1<<63 - 1, []int64{2}, []int64{3}, ErrFormat, "offset"},
		{"negative offset", "FloatStorage", "0", 4, -1, []int64{2}, []int64{1}, ErrFormat, "offset"},
		{"negative dimension", "FloatStorage", "0", 4, 0, []int64{-4}, []int64{1}, ErrFormat, "shape"},
		{"negative stride", "FloatStorage", "0", 4, 3, []int64{4}, []int64{-1}, ErrFormat, "strides"},
		{"huge stride", "FloatStorage", "0", 4, 0, []int64{3}, []int64{huge}, ErrFormat, "strides"},
		{"strides that add up", "FloatStorage", "0", 4, 0, []int64{3, 3, 3}, []int64{1, 1, 1}, ErrFormat, "strides"},
		{"overflowing shape", "FloatStorage", "0", 4, 0, []int64{huge, huge}, []int64{0, 0}, ErrFormat, "impossible shape"},
		{"expanded without bound", "FloatStorage", "0", 4, 0, []int64{1 << 40}, []int64{0}, ErrFormat, "memory"},
		{"expanded to 100 MB", "FloatStorage", "0", 4, 0, []int64{25e6}, []int64{0}, ErrFormat, "memory"},
		{"fewer strides", "FloatStorage", "0", 4, 0, []int64{2, 2}, []int64{1}, ErrFormat, "strides"},
		{"65 dimensions", "FloatStorage", "0", 4, 0, make([]int64, 65), make([]int64, 65), ErrFormat, "shape"},
		{"no such storage", "FloatStorage", "1", 4, 0, []int64{4}, []int64{1}, ErrFormat, `"data/1"`},
		{"outside the archive", "FloatStorage", "../data.pkl", 4, 0, []int64{4}, []int64{1}, ErrFormat, `"data/../data.pkl"`},
		{"storage of another size", "FloatStorage", "0", 5, 0, []int64{4}, []int64{1}, ErrFormat, "16 bytes"},
		{"storage of huge size", "FloatStorage", "0", huge, 0, []int64{4}, []int64{1}, ErrFormat, "elements"},
		{"storage of negative size", "FloatStorage", "0", -4, 0, []int64{4}, []int64{1}, ErrFormat, "elements"},
		{"unknown storage", "FloppyStorage", "0", 4, 0, []int64{4}, []int64{1}, ErrUnsupported, "torch.FloppyStorage"},
		{"valid in half precision", "HalfStorage", "0", 8, 0, []int64{8}, []int64{1}, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readBytes(torchZip(t, func(p *pickled) {
				p.str("w").tensor(test.class, test.key, test.n, test.offset, test.shape, test.strides)
			}))
			if !errors.Is(err, test.want) || test.want != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.says)
			}
		})
	}
}

func TestTorchNotFinite(t *testing.T) {
	nan := []byte{0, 0, 0x80, 0xff} // -infinity
	pkl := dictOf(func(p *pickled) {
		p.str("fine").tensor("FloatStorage", "0", 4, 0, []int64{2}, []int64{2}).
			str("conv.weight").tensor("FloatStorage", "0", 4, 0, []int64{2, 2}, []int64{1, 2})
	})
	data := slices.Concat(floats(1), nan, floats(3, 4))
	_, err := readBytes(zipOf(t, zip.Store, map[string][]byte{"data.pkl": pkl, "data/0": data}))
	// In the transposed view, the second element of the storage is the third of the tensor.
	if !errors.Is(err, ErrNotFinite) || !strings.Contains(fmt.Sprint(err), `"conv.weight": element 2`) {
		t.Errorf("got %v", err)
	}
}

func TestTorchRejectsArchives(t *testing.T) {
	pkl := dictOf(func(p *pickled) { p.str("w").tensor("FloatStorage", "0", 4, 0, []int64{4}, []int64{1}) })
	data := floats(1, 2, 3, 4)
	tests := []struct {
		name   string
		method uint16
		files  map[string][]byte
		want   error
		says   string
	}{
		{"valid", zip.Store, map[string][]byte{"data.pkl": pkl, "data/0": data, "byteorder": []byte("little")}, nil, ""},
		{"compressed", zip.Deflate, map[string][]byte{"data.pkl": pkl, "data/0": data}, ErrUnsupported, "compressed"},
		{"big-endian", zip.Store, map[string][]byte{"data.pkl": pkl, "data/0": data, "byteorder": []byte("big")}, ErrUnsupported, "byte order"},
		{"no pickle", zip.Store, map[string][]byte{"data/0": data}, ErrFormat, "data.pkl"},
		{"two pickles", zip.Store, map[string][]byte{"data.pkl": pkl, "data.pkl\x00": pkl, "data/0": data}, ErrFormat, "several"},
		{"storage twice", zip.Store, map[string][]byte{"data.pkl": pkl, "data/0": data, "data/0\x00": data}, ErrFormat, `"data/0" is twice`},
		{"storage cut", zip.Store, map[string][]byte{"data.pkl": pkl, "data/0": data[:12]}, ErrFormat, "12 bytes"},
		{"pickle cut", zip.Store, map[string][]byte{"data.pkl": pkl[:len(pkl)-1], "data/0": data}, ErrTruncated, "data.pkl"},
	}
	for _, test := range tests {
		_, err := readBytes(zipOf(t, test.method, test.files))
		if !errors.Is(err, test.want) || test.want != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want %v with %q", test.name, err, test.want, test.says)
		}
	}
}

// A directory entry may claim any size and offset for a storage.
func TestTorchRejectsForgedDirectory(t *testing.T) {
	good := torchZip(t, func(p *pickled) { p.str("w").tensor("FloatStorage", "0", 4, 0, []int64{4}, []int64{1}) })
	entry := bytes.LastIndex(good, []byte("archive/data/0")) - 46
	for _, forged := range []struct {
		name string
		at   int
		size []byte
	}{
		{"compressed size", 20, []byte{0xf0, 0xff, 0xff, 0x7f}},
		{"size", 24, []byte{0xf0, 0xff, 0xff, 0x7f}},
		{"both sizes", 20, []byte{0xf0, 0xff, 0xff, 0x7f, 0xf0, 0xff, 0xff, 0x7f}},
		{"offset", 42, []byte{0xf0, 0xff, 0xff, 0x7f}},
	} {
		b := slices.Clone(good)
		copy(b[entry+forged.at:], forged.size)
		if _, err := readBytes(b); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", forged.name, err)
		}
	}
}

func TestPickleRejects(t *testing.T) {
	repeat := func(s string, n int) []byte { return []byte(strings.Repeat(s, n)) }
	tests := []struct {
		name string
		pkl  []byte
		want error
	}{
		{"empty", nil, ErrTruncated},
		{"only stop", []byte("."), ErrFormat},
		{"stop under a mark", []byte("N(."), ErrFormat},
		{"protocol 6", []byte("\x80\x06N."), ErrUnsupported},
		{"unknown opcode", []byte("\xff."), ErrUnsupported},
		{"extension registry", []byte("\x82\x01."), ErrUnsupported},
		{"string of 4 GB", []byte("X\xff\xff\xff\xffabc"), ErrTruncated},
		{"string of 2^63 bytes", []byte("\x8d\x00\x00\x00\x00\x00\x00\x00\x80"), ErrTruncated},
		{"bytes of 2^64 bytes", []byte("\x8e\xff\xff\xff\xff\xff\xff\xff\xff"), ErrTruncated},
		{"long of 2 GB", []byte("\x8b\xff\xff\xff\x7f"), ErrUnsupported},
		{"number of 2000 digits", append(append([]byte("L"), repeat("1", 2000)...), '\n'), ErrFormat},
		{"not a number", []byte("Ix\n."), ErrFormat},
		{"endless name", append([]byte("c"), repeat("a", 1<<20)...), ErrFormat},
		{"unknown memo", []byte("h\x05."), ErrFormat},
		{"memo of nothing", []byte("q\x05."), ErrFormat},
		{"reduce nothing", []byte("R."), ErrFormat},
		{"reduce a number", []byte("K\x01)R."), ErrFormat},
		{"reduce without a tuple", []byte("cos\nsystem\nNR."), ErrFormat},
		{"tuple of nothing", []byte("N\x86."), ErrFormat},
		{"tuple without mark", []byte("Nt."), ErrFormat},
		{"append to a number", []byte("K\x01K\x02a."), ErrFormat},
		{"item of a number", []byte("K\x01K\x02K\x03s."), ErrFormat},
		{"odd items", []byte("}(K\x01u."), ErrFormat},
		{"class named by numbers", []byte("K\x01K\x02\x93."), ErrFormat},
		{"storage named by a number", []byte("K\x01Q."), ErrFormat},
		{"tensor of nothing", []byte("ctorch._utils\n_rebuild_tensor_v2\n)R."), ErrFormat},
		{"dict of numbers", []byte("ccollections\nOrderedDict\n](K\x01e\x85R."), ErrFormat},
		{"endless lists", repeat("]", 1<<22), ErrUnsupported},
		{"endless memo", append([]byte("N"), repeat("\x94", 1<<22)...), ErrUnsupported},
		{"endless duplicates", append([]byte("N"), repeat("2", 1<<22)...), ErrUnsupported},
		{"endless marks", repeat("(", 6<<20), ErrUnsupported},
		{"dict copied over and over", slices.Concat([]byte("]("), repeat("]K\x01aK\x02a", 20000), []byte("e\x85q\x00"),
			repeat("ccollections\nOrderedDict\nh\x00R", 4000)), ErrUnsupported},
		// Valid pickles of something else.
		{"None", []byte("N."), ErrUnsupported},
		{"nested tuples", slices.Concat([]byte("N"), repeat("\x85", 1<<19), []byte(".")), ErrUnsupported},
		{"list in itself", []byte("]q\x00h\x00a."), ErrUnsupported},
		{"dict in itself", []byte("}q\x00X\x01\x00\x00\x00ah\x00s."), ErrUnsupported},
		{"function", []byte("cos\nsystem\nX\x02\x00\x00\x00ls\x85R."), ErrUnsupported},
		{"object of an object", []byte("cos\nsystem\n)R)\x81}b)R."), ErrUnsupported},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readBytes(zipOf(t, zip.Store, map[string][]byte{"data.pkl": test.pkl}))
			if !errors.Is(err, test.want) {
				t.Errorf("zip: got %v, want %v", err, test.want)
			}
			// Behind the legacy preamble, other pickles follow.
			if _, err := readBytes(legacyOf(test.pkl)); err == nil {
				t.Error("legacy: accepted")
			}
		})
	}
}

// Dictionaries that contain one another many times must not be walked many times.
func TestTorchSharedDictionaries(t *testing.T) {
	p := new(pickled)
	p.op(opEmptyDict)
	for level := range 60 {
		p.op(opBinPut, byte(level), opPop, opEmptyDict)
		for i := range 50 {
			p.str(fmt.Sprint(i)).op(opBinGet, byte(level), opSetItem)
		}
	}
	p.op(opStop)
	_, err := readBytes(zipOf(t, zip.Store, map[string][]byte{"data.pkl": p.Bytes()}))
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestTorchDuplicateName(t *testing.T) {
	_, err := readBytes(torchZip(t, func(p *pickled) {
		for range 2 {
			p.str("w").tensor("FloatStorage", "0", 4, 0, []int64{4}, []int64{1})
		}
	}))
	if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), `"w" appears twice`) {
		t.Errorf("got %v", err)
	}
}

func TestLegacyRejects(t *testing.T) {
	good := legacyOf(dictOf(func(p *pickled) { p.str("w").tensor("FloatStorage", "0", 4, 0, []int64{4}, []int64{1}) }))
	if _, err := readBytes(good); err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) []byte {
		if bytes.Count(good, []byte(old)) != 1 {
			t.Fatalf("%q is not once in the file", old)
		}
		return bytes.Replace(good, []byte(old), []byte(new), 1)
	}
	key := "]X\x01\x00\x00\x000a."
	tests := []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"version", replace("M\xe9\x03.", "M\xea\x03."), ErrUnsupported, "1001"},
		{"big-endian", replace("little_endian\x88", "little_endian\x89"), ErrUnsupported, "little-endian"},
		{"machine", replace("}(X\x0d\x00\x00\x00little_endian\x88u", "N"), ErrFormat, "machine"},
		{"no keys", replace(key, "]."), ErrFormat, `"0" is not in the file`},
		{"keys of another kind", replace(key, "N."), ErrFormat, "keys"},
		{"unknown key", replace(key, "]X\x01\x00\x00\x001a."), ErrFormat, `"1" is unknown`},
		{"key twice", replace(key, "]X\x01\x00\x00\x000aX\x01\x00\x00\x000a."), ErrFormat, "twice"},
		{"elements", replace("\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?", "\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?"), ErrFormat, "5 elements"},
		{"persistent id among the keys", replace(key, "(X\x07\x00\x00\x00storagetQ."), ErrFormat, "reference"},
	}
	for _, test := range tests {
		if _, err := readBytes(test.data); !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: got %v, want %v with %q", test.name, err, test.want, test.says)
		}
	}
}

func TestDetectRejects(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	if _, err := readBytes(tar); !errors.Is(err, ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "tar") {
		t.Errorf("tar: %v", err)
	}
	if _, err := readBytes([]byte("\x89PNG\r\n\x1a\n0123456789")); !errors.Is(err, ErrFormat) {
		t.Errorf("PNG: %v", err)
	}
}
