package record

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pack makes a zip of names and contents, in turn.
func pack(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		f, err := w.Create(parts[i])
		if err == nil {
			_, err = io.WriteString(f, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack reads a batch whole: its files as name: content, and damages as
// !reason at offset.
func unpack(t testing.TB, batch []byte, name string) []string {
	t.Helper()
	var out []string
	b := OpenBatch(bytes.NewReader(batch), int64(len(batch)), name)
	for {
		f, err := b.Next()
		var damage *Damage
		switch {
		case err == io.EOF:
			return out
		case errors.As(err, &damage):
			out = append(out, "!"+damage.Error())
			continue
		case err != nil:
			t.Fatal(err)
		}
		content, err := io.ReadAll(io.LimitReader(f, 256<<20))
		line := f.Name + ": " + string(content)
		if err != nil {
			packed, packedErr := io.ReadAll(f.Packed())
			if packedErr != nil {
				t.Fatal(packedErr)
			}
			line += fmt.Sprintf(" !%v, %d bytes packed", err, len(packed))
		}
		out = append(out, line)
	}
}

func TestOpenBatch(t *testing.T) {
	check := func(batch []byte, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, unpack(t, batch, "given_1.log")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	check([]byte("plain"), "given_1.log: plain")
	check(nil, "given_1.log: ")
	check([]byte("PK\x03"), "given_1.log: PK\x03")
	check(pack(t, "a_1.log", "one", "b_1.log", "two"), "a_1.log: one", "b_1.log: two")
	check(pack(t, "dir/", "", "empty.log", ""), "empty.log: ")
	check(pack(t))
	// Names are only shown.
	check(pack(t, "../../etc/x\n", "one", `C:\x`, "two", "", "three"), "../../etc/x?: one", `C:\x: two`, ": three")
}

func TestBatchBounds(t *testing.T) {
	bomb := pack(t, "a_1.log", "one", "bomb.log", strings.Repeat(" ", freeSize+1), "b_1.log", "two")
	got := unpack(t, bomb, "")
	if len(got) != 3 || got[0] != "a_1.log: one" || got[2] != "b_1.log: two" ||
		!strings.HasPrefix(got[1], "bomb.log:  !a file that unpacks to more than 200 times its size at offset 0, ") {
		t.Errorf("got %.200q", got)
	}
	small := pack(t, "spaces.log", strings.Repeat(" ", freeSize))
	if got := unpack(t, small, ""); len(got) != 1 || len(got[0]) != len("spaces.log: ")+freeSize {
		t.Errorf("a small file of spaces: %d results", len(got))
	}
	var names []string
	for i := range maxFiles + 1 {
		names = append(names, fmt.Sprint(i), "")
	}
	if got := unpack(t, pack(t, names...), ""); len(got) != 1 || got[0] != "!an archive of more than 10000 files at offset 0" {
		t.Errorf("many files: %d results, first %.100q", len(got), got[0])
	}
	// A directory full of entries that all lead to the same bytes.
	shared := sharing(t, pack(t, "x.log", strings.Repeat("0123456789abcdef", 60000)), 4000)
	if got := unpack(t, shared, ""); len(got) != 1 || got[0] != "!an archive that unpacks to more than 200 times its size at offset 0" {
		t.Errorf("overlapping files: %d results, first %.100q", len(got), got[0])
	}
}

// sharing repeats the one directory entry of an archive n times.
func sharing(t *testing.T, archive []byte, n int) []byte {
	t.Helper()
	end := bytes.LastIndex(archive, []byte("PK\x05\x06"))
	at := int(binary.LittleEndian.Uint32(archive[end+16:]))
	entry := archive[at:end]
	out := append([]byte{}, archive[:at]...)
	for range n {
		out = append(out, entry...)
	}
	tail := append([]byte{}, archive[end:]...)
	binary.LittleEndian.PutUint16(tail[8:], uint16(n))
	binary.LittleEndian.PutUint16(tail[10:], uint16(n))
	binary.LittleEndian.PutUint32(tail[12:], uint32(n*len(entry)))
	return append(out, tail...)
}

// TestBytesOutsideTheFiles hides files where the directory does not tell of them.
func TestBytesOutsideTheFiles(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1000) + fmt.Sprint(make([]int, 3000))
	random := make([]byte, 9000)
	dice := rand.NewChaCha8([32]byte{})
	_, _ = dice.Read(random)
	hidden := pack(t, "hidden_1.log", string(random))
	check := func(what string, batch []byte, want ...string) {
		t.Helper()
		got := unpack(t, batch, "")
		if len(got) != len(want) {
			t.Errorf("%s: got %.300q", what, got)
			return
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: result %d is %.200q, want %q", what, i, got[i], want[i])
			}
		}
	}
	shown := pack(t, "shown_1.log", big)
	check("a whole archive", shown, "shown_1.log: 0123")
	check("an archive before it", append(bytes.Clone(hidden), shown...), "shown_1.log: 0123", "!bytes of an archive that belong to none of its files at offset 0")
	check("an archive behind it", append(bytes.Clone(shown), hidden[:len(hidden)-30]...), "shown_1.log: 0123", fmt.Sprintf("!bytes behind an archive's end at offset %d", len(shown)))
	none := bytes.Clone(hidden)
	end := bytes.LastIndex(none, []byte("PK\x05\x06"))
	copy(none[end+8:], []byte{0, 0, 0, 0, 0, 0, 0, 0})
	binary.LittleEndian.PutUint32(none[end+16:], uint32(end))
	check("a directory of nothing", none, "!bytes of an archive that belong to none of its files at offset 0")
	folder := bytes.Clone(hidden)
	folder[bytes.Index(folder, []byte("PK\x01\x02"))+38] |= 0x10
	check("a folder with a content", folder, "hidden_1.log: ")
	place := bytes.Clone(shown)
	binary.LittleEndian.PutUint32(place[bytes.Index(place, []byte("PK\x01\x02"))+42:], 7)
	got := unpack(t, place, "")
	if len(got) != 1 || !strings.HasSuffix(got[0], fmt.Sprintf(", %d bytes packed", len(place))) {
		t.Errorf("a place that is none: got %.300q", got)
	}
}

func TestArchivesThatLie(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 60000)
	// Sizes in a file's zip64 extra, which add up to little when they wrap.
	lying := func(packed, unpacked uint64, n int) []byte {
		b := pack(t, "x.log", content)
		end := bytes.LastIndex(b, []byte("PK\x05\x06"))
		at := int(binary.LittleEndian.Uint32(b[end+16:]))
		entry := bytes.Clone(b[at:end])
		binary.LittleEndian.PutUint32(entry[20:], 1<<32-1)
		binary.LittleEndian.PutUint32(entry[24:], 1<<32-1)
		binary.LittleEndian.PutUint16(entry[30:], 20)
		entry = entry[:46+5]
		entry = binary.LittleEndian.AppendUint16(entry, 1)
		entry = binary.LittleEndian.AppendUint16(entry, 16)
		entry = binary.LittleEndian.AppendUint64(entry, unpacked)
		entry = binary.LittleEndian.AppendUint64(entry, packed)
		out := append([]byte{}, b[:at]...)
		for range n {
			out = append(out, entry...)
		}
		tail := bytes.Clone(b[end:])
		binary.LittleEndian.PutUint16(tail[8:], uint16(n))
		binary.LittleEndian.PutUint16(tail[10:], uint16(n))
		binary.LittleEndian.PutUint32(tail[12:], uint32(n*len(entry)))
		return append(out, tail...)
	}
	for _, b := range [][]byte{
		lying(1<<62, 1<<64-5, 200), lying(1, 1<<63, 2), lying(5000, 0, 5000), lying(1<<63, 1, 1),
	} {
		got := unpack(t, b, "")
		if len(got) != 1 || !strings.HasPrefix(got[0], "!an archive w") {
			t.Errorf("got %d results, the first %.200q", len(got), got[0])
		}
	}
	// A record at the end that leads to a directory of nearly everything.
	long := append(pack(t, "x.log", content), make([]byte, maxDirectory)...)
	long = append(long, "PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00"...)
	if got := unpack(t, long, ""); len(got) != 1 || !strings.Contains(got[0], "with a directory of more than") {
		t.Errorf("got %d results, the first %.200q", len(got), got[0])
	}
	// No directory at all, and much in little.
	var many []string
	for range 40 {
		many = append(many, "spaces.log", strings.Repeat(" ", 2<<20))
	}
	cut := pack(t, many...)
	cut = cut[:bytes.Index(cut, []byte("PK\x01\x02"))]
	total := 0
	for _, line := range unpack(t, cut, "") {
		total += len(line)
	}
	if total > 2*freeSize {
		t.Errorf("%d bytes out of %d", total, len(cut))
	}
}

func TestBatchDamage(t *testing.T) {
	content := func(c string) string { return strings.Repeat(c+" some text that is not all the same ", 300) }
	a, b := content("a"), content("b")
	whole := pack(t, "a_1.log", a, "b_1.log", b)
	second := bytes.LastIndex(whole[:len(whole)-200], []byte("PK\x03\x04"))

	// A wrong checksum: the content is there, and so are its packed bytes.
	wrong := bytes.Clone(whole)
	entry := bytes.Index(wrong, []byte("PK\x01\x02")) // of the directory
	wrong[entry+16] ^= 1
	got := unpack(t, wrong, "")
	if len(got) != 2 || !strings.HasPrefix(got[0], "a_1.log: "+a+" !zip: checksum error, ") || got[1] != "b_1.log: "+b {
		t.Errorf("checksum: got %.300q", got)
	}

	// Cut inside the second file: the first is whole, the second as far as it goes.
	got = unpack(t, whole[:entry-40], "")
	if len(got) != 2 || got[0] != "a_1.log: "+a || !strings.HasPrefix(got[1], "b_1.log: b some") || !strings.Contains(got[1], " !unexpected EOF, ") {
		t.Errorf("cut: got %.300q", got)
	}

	// Cut between the files, and in the directory.
	for _, at := range []int{second, second + 10, entry, entry + 20, len(whole) - 5} {
		got = unpack(t, whole[:at], "")
		if len(got) < 2 || got[0] != "a_1.log: "+a || !strings.HasPrefix(got[len(got)-1], "!an archive without a directory (zip: not a valid zip file) at offset ") {
			t.Errorf("cut at %d: got %.300q", at, got)
		}
	}

	// Bytes changed anywhere: nothing panics, what is left is named.
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 0xff
		unpack(t, changed, "")
	}
}

// FuzzArchive looks for crashes, endless reading and unbounded unpacking.
func FuzzArchive(f *testing.F) {
	f.Add(pack(f, "a_1.log", "one", "b_1.log", strings.Repeat("two", 100)))
	f.Add(pack(f))
	f.Add(pack(f, "a", "x")[:20])
	f.Add(append([]byte("PK\x03\x04"), make([]byte, 60)...))
	for _, a := range usualArchives(f) {
		f.Add(a.archive)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		b := OpenBatch(bytes.NewReader(content), int64(len(content)), "x")
		for files := 0; ; files++ {
			file, err := b.Next()
			if err != nil {
				var damage *Damage
				if err != io.EOF && !errors.As(err, &damage) {
					t.Fatalf("neither an end nor a damage: %v", err)
				}
				if damage != nil && damage.Offset+damage.Size > int64(len(content)) {
					t.Fatalf("damage at %d of %d bytes, %d in all", damage.Offset, damage.Size, len(content))
				}
				if err == io.EOF {
					return
				}
				continue
			}
			if files > maxFiles {
				t.Fatal("no end of files")
			}
			n, err := io.Copy(io.Discard, file)
			if n > freeSize+int64(len(content))*maxRatio*2 {
				t.Fatalf("%d bytes out of %d", n, len(content))
			}
			if err != nil && file.Packed == nil {
				t.Fatalf("unreadable and its bytes are gone: %v", err)
			}
		}
	})
}
