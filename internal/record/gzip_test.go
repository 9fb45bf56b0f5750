package record

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
)

// zipUp makes a gzip of contents, a member each.
func zipUp(t testing.TB, contents ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, content := range contents {
		w := gzip.NewWriter(&b)
		w.Name = "member_1.json"
		_, err := io.WriteString(w, content)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// readBatch decodes a batch of one file whole, as read does, and counts its
// packed bytes if they stand for some that can't be read.
func readBatch(t testing.TB, r *Reader, batch []byte) []string {
	t.Helper()
	b := OpenBatch(bytes.NewReader(batch), int64(len(batch)), "receipt_1.json.gz")
	f, err := b.Next()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := r.Open(f, origin(), true)
	out := read(t, d)
	if d.RestErr() != nil {
		packed, err := io.ReadAll(f.Packed())
		if err != nil || !bytes.Equal(packed, batch) {
			t.Fatalf("%d of %d packed bytes: %v", len(packed), len(batch), err)
		}
		out = append(out, "packed")
	}
	if f, err := b.Next(); err != io.EOF {
		t.Fatalf("another file: %v, %v", f, err)
	}
	return out
}

func TestGzip(t *testing.T) {
	const lineA, lineB = `{"a":1}` + "\n", `{"b":2}` + "\n"
	var r Reader
	check := func(what string, batch []byte, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, readBatch(t, &r, batch)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	join := func(parts ...any) []byte { return fmt.Appendf(nil, strings.Repeat("%s", len(parts)), parts...) }
	both := zipUp(t, lineA, lineB)
	first := len(zipUp(t, lineA))

	check("lines", zipUp(t, lineA+lineB), recordA, recordB)
	check("no last newline", zipUp(t, strings.TrimSpace(lineA+lineB)), recordA, recordB)
	check("members", both, recordA, recordB)
	check("a line in two members", zipUp(t, lineA[:3], lineA[3:]+lineB), recordA, recordB)
	check("an empty file", zipUp(t, ""))
	check("empty members", zipUp(t, append(make([]string, 500), lineA)...), recordA)
	check("blanks around", join("\r\n", both[:first], "\x00\x00", both[first:], "\n", make([]byte, 512)), recordA, recordB)
	check("no JSON in it", zipUp(t, "\x00"), "!not JSON at offset 0: \x00")

	// What is cut off at any place is missed, but for a member that is missing
	// whole.
	for cut := 2; cut < len(both); cut++ {
		got := readBatch(t, &r, both[:cut])
		if cut == first {
			check("the second member is missing", both[:cut], recordA)
			continue
		}
		if last := len(got) - 1; got[last] != "packed" || !strings.HasPrefix(got[last-1], "!unexpected EOF at offset ") {
			t.Errorf("cut at %d: got %q", cut, got)
		}
		if cut > first && got[0] != recordA {
			t.Errorf("cut at %d: got %q", cut, got)
		}
	}
	check("a line cut short in a whole gzip", zipUp(t, lineA+lineB[:4]), recordA, "!cut short at offset 8: "+lineB[:4])
	trailer := len(both) - 8
	check("cut in the trailer", both[:trailer], recordA, recordB, "!unexpected EOF at offset 16: ", "packed")
	for _, at := range []int{trailer, trailer + 4} {
		wrong := bytes.Clone(both)
		wrong[at] ^= 1
		check("a wrong trailer", wrong, recordA, recordB, "!gzip: invalid checksum at offset 16: ", "packed")
	}
	for _, tail := range []string{"x", "\n\x00x", `{"b":2}`, "\x1f\x8b\x07 and no more"} {
		got := readBatch(t, &r, join(both, tail))
		if len(got) != 4 || got[1] != recordB || !strings.Contains(got[2], " at offset 16: ") || got[3] != "packed" {
			t.Errorf("%q after it: got %q", tail, got)
		}
	}
}

func TestGzipBounds(t *testing.T) {
	spaces := strings.Repeat(" ", freeSize)
	if got := unpack(t, zipUp(t, spaces), "x.gz"); len(got) != 1 || len(got[0]) != len("x.gz: ")+freeSize {
		t.Errorf("a small file of spaces: %d results, the first %.100q", len(got), got[0])
	}
	for what, bomb := range map[string][]byte{
		"one member":  zipUp(t, spaces+" "),
		"two members": zipUp(t, spaces, " "),
	} {
		got := unpack(t, bomb, "x.gz")
		want := fmt.Sprintf(" !a file that unpacks to more than 200 times its size at offset 0, %d bytes packed", len(bomb))
		if len(got) != 1 || len(got[0]) > 2*freeSize || !strings.HasSuffix(got[0], want) {
			t.Errorf("%s: got %d results, the first %.100q", what, len(got), got[0])
		}
	}
}

// FuzzGzip compares with the standard library: each reads what the other reads,
// but that the standard library takes reserved bits in a header.
func FuzzGzip(f *testing.F) {
	both := zipUp(f, `{"a":1}`+"\n", `{"b":2}`)
	f.Add(both)
	f.Add(both[:len(both)-3])
	f.Add(append(bytes.Clone(both), "\n\x00"...))
	f.Add(append(bytes.Clone(both), both[:12]...))
	f.Add(zipUp(f, ""))
	f.Add(zipUp(f, strings.Repeat(`{"a":1}`, 1000), "", "x"))
	f.Add([]byte("\x1f\x8b\x08\x1f"))
	f.Fuzz(func(t *testing.T, batch []byte) {
		if !isGzip(batch) {
			return
		}
		file, err := OpenBatch(bytes.NewReader(batch), int64(len(batch)), "x").Next()
		if err != nil {
			t.Fatal(err)
		}
		got, gotErr := io.ReadAll(file)
		if len(got) > freeSize+len(batch)*maxRatio {
			t.Fatalf("%d bytes out of %d", len(got), len(batch))
		}
		if again, err := file.Read(make([]byte, 1)); again != 0 || err == nil || (gotErr == nil) != (err == io.EOF) {
			t.Fatalf("then %d bytes, %v; before %v", again, err, gotErr)
		}
		if packed, err := io.ReadAll(file.Packed()); err != nil || !bytes.Equal(packed, batch) {
			t.Fatalf("packed: %d of %d bytes, %v", len(packed), len(batch), err)
		}
		var limit *Damage
		if errors.As(gotErr, &limit) || errors.Is(gotErr, gzip.ErrHeader) {
			return
		}
		want, wantErr := standardGunzip(batch)
		if gotErr == nil && (wantErr != nil || !bytes.Equal(got, want)) {
			t.Fatalf("read %q, the standard library %q, %v", got, want, wantErr)
		}
		if gotErr != nil && wantErr == nil {
			t.Fatalf("not read: %v; the standard library reads %q", gotErr, want)
		}
	})
}

// standardGunzip reads members with the standard library, blanks around them
// passed over.
func standardGunzip(batch []byte) (out []byte, err error) {
	in := bytes.NewReader(batch)
	for {
		batch = bytes.TrimLeft(batch[len(batch)-in.Len():], blanks)
		if len(batch) == 0 {
			return out, nil
		}
		in.Reset(batch)
		z, err := stdgzip.NewReader(in)
		if err == io.EOF {
			return out, io.ErrUnexpectedEOF
		}
		if err != nil {
			return out, err
		}
		z.Multistream(false)
		member, err := io.ReadAll(z)
		if out = append(out, member...); err != nil {
			return out, err
		}
	}
}
