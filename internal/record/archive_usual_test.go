package record

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zip64 says which numbers of an archive's end are in a record for zip64.
type zip64 struct{ files, length, place bool }

var allOfEnd = zip64{true, true, true}

// withZip64 puts a record for zip64 and its locator before an archive's end; more
// is in the record.
func withZip64(archive []byte, in zip64, more ...byte) []byte {
	at := bytes.LastIndex(archive, []byte("PK\x05\x06"))
	le, end := binary.LittleEndian, bytes.Clone(archive[at:])
	out := append(bytes.Clone(archive[:at]), "PK\x06\x06"...)
	out = le.AppendUint64(out, uint64(44+len(more)))
	out = append(out, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	out = le.AppendUint64(out, uint64(le.Uint16(end[8:])))
	out = le.AppendUint64(out, uint64(le.Uint16(end[10:])))
	out = le.AppendUint64(out, uint64(le.Uint32(end[12:])))
	out = le.AppendUint64(out, uint64(le.Uint32(end[16:])))
	out = append(append(out, more...), "PK\x06\x07\x00\x00\x00\x00"...)
	out = le.AppendUint64(out, uint64(at))
	out = le.AppendUint32(out, 1)
	if in.files {
		copy(end[8:], "\xff\xff\xff\xff")
	}
	if in.length {
		copy(end[12:], "\xff\xff\xff\xff")
	}
	if in.place {
		copy(end[16:], "\xff\xff\xff\xff")
	}
	return append(out, end...)
}

// allZip64 is an archive of one file, with each of its numbers in the field or the
// record for zip64.
func allZip64(t testing.TB, name, content string) []byte {
	t.Helper()
	plain := pack(t, name, content)
	r, err := zip.NewReader(bytes.NewReader(plain), int64(len(plain)))
	if err != nil {
		t.Fatal(err)
	}
	f := r.File[0]
	from, err := f.DataOffset()
	if err != nil {
		t.Fatal(err)
	}
	const largest = "\xff\xff\xff\xff"
	le := binary.LittleEndian
	sizes := le.AppendUint64(le.AppendUint64(nil, f.UncompressedSize64), f.CompressedSize64)

	out := []byte("PK\x03\x04\x2d\x00\x00\x00\x08\x00\x00\x00\x00\x00")
	out = append(le.AppendUint32(out, f.CRC32), largest+largest...)
	out = append(out, byte(len(name)), 0, 20, 0)
	out = append(append(out, name...), 1, 0, 16, 0)
	out = append(append(out, sizes...), plain[from:from+int64(f.CompressedSize64)]...)
	at := len(out)
	out = append(out, "PK\x01\x02\x2d\x00\x2d\x00\x00\x00\x08\x00\x00\x00\x00\x00"...)
	out = append(le.AppendUint32(out, f.CRC32), largest+largest...)
	out = append(out, byte(len(name)), 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	out = append(append(out, largest+name...), 1, 0, 24, 0)
	out = append(append(out, sizes...), 0, 0, 0, 0, 0, 0, 0, 0)
	length := len(out) - at
	out = append(out, "PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00"...)
	out = le.AppendUint32(le.AppendUint32(out, uint32(length)), uint32(at))
	return withZip64(append(out, 0, 0), allOfEnd)
}

type usualArchive struct {
	what    string
	archive []byte
	want    []string
}

// usualArchives are archives that what usually reads archives takes.
func usualArchives(t testing.TB) []usualArchive {
	t.Helper()
	join := func(parts ...any) []byte { return fmt.Appendf(nil, strings.Repeat("%s", len(parts)), parts...) }
	made := func(text string) []byte {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	two, none := pack(t, "a_1.log", "one", "b_1.log", "two"), pack(t)
	comment := append(bytes.Clone(two), "abc"...)
	comment[len(two)-2] = 3
	content := strings.Repeat("some text that is not all the same ", 300)
	large := allZip64(t, "a_1.log", content)

	ofTwo, ofLarge := []string{"a_1.log: one", "b_1.log: two"}, []string{"a_1.log: " + content}
	return []usualArchive{
		{"zip -fz", made(`UEsDBC0AAAAAAKQVeV0V1+Wo//////////8HABQAYV8xLmxvZwEAEAAEAAAAAAAAAAQAAAAAAAAAYT0xClBLAQIeAy0AAAAAAKQVeV0V1+WoBAAAAP////8HAAwAAAAAAAEAAACkgQAAAABhXzEubG9nAQAIAAQAAAAAAAAAUEsGBiwAAAAAAAAAHgMtAAAAAAAAAAAAAQAAAAAAAAABAAAAAAAAAEEAAAAAAAAAPQAAAAAAAABQSwYHAAAAAH4AAAAAAAAAAQAAAFBLBQYAAAAAAQABAEEAAAD/////AAA=`), []string{"a_1.log: a=1\n"}},
		{"zip of a pipe", made(`UEsDBC0AAAAAAKQVeV0V1+Wo//////////8BABQALQEAEAAEAAAAAAAAAAQAAAAAAAAAYT0xClBLAQIeAy0AAAAAAKQVeV0V1+WoBAAAAAQAAAABAAAAAAAAAAEAAACAEQAAAAAtUEsGBiwAAAAAAAAAHgMtAAAAAAAAAAAAAQAAAAAAAAABAAAAAAAAAC8AAAAAAAAANwAAAAAAAABQSwYHAAAAAGYAAAAAAAAAAQAAAFBLBQYAAAAAAQABAC8AAAA3AAAAAAA=`), []string{"-: a=1\n"}},
		{"zip64, all numbers", large, ofLarge},
		{"zip64, all numbers of the end", withZip64(two, allOfEnd), ofTwo},
		{"zip64, the directory's place", withZip64(two, zip64{place: true}), ofTwo},
		{"zip64, the directory's length", withZip64(two, zip64{length: true}), ofTwo},
		{"zip64, the number of files", withZip64(two, zip64{files: true}), ofTwo},
		{"zip64 without need", withZip64(two, zip64{}), ofTwo},
		{"zip64, a long record", withZip64(two, allOfEnd, make([]byte, 100)...), ofTwo},
		{"zip64, no files", withZip64(none, allOfEnd), nil},
		{"zip64, with a comment", withZip64(comment, allOfEnd), ofTwo},
		{"LF, zip64, all numbers", join("\n", large), ofLarge},
		{"CRLF, zip64, all numbers of the end", join("\r\n", withZip64(two, allOfEnd)), ofTwo},
		{"CRLF, zip64 without need", join("\r\n", withZip64(two, zip64{})), ofTwo},
		{"zip64, the directory's place, CRLF", join(withZip64(two, zip64{place: true}), "\r\n"), ofTwo},
		{"LF first", join("\n", two), ofTwo},
		{"CRLF first", join("\r\n", two), ofTwo},
		{"blanks first", join(strings.Repeat(" ", maxLead), two), ofTwo},
		{"tabs and feeds first", join("\t\v\f", two), ofTwo},
		{"NULs first", join("\x00\x00\x00", two), ofTwo},
		{"LF first, no files", join("\n", none), nil},
		{"LF last", join(two, "\n"), ofTwo},
		{"CRLFs last", join(two, "\r\n\r\n"), ofTwo},
		{"NULs last", join(two, make([]byte, 512)), ofTwo},
		{"much of nothing last", join(two, strings.Repeat(" \x00", math.MaxUint16/2)), ofTwo},
		{"LF last, no files", join(none, "\n"), nil},
		{"LF after a comment", join(comment, "\n"), ofTwo},
		{"CRLF first and last", join("\r\n", two, "\r\n"), ofTwo},
	}
}

// TestUsualArchives is of archives that have nothing that can't be read, and none
// of which may be fetched twice.
func TestUsualArchives(t *testing.T) {
	for _, a := range usualArchives(t) {
		if diff := cmp.Diff(a.want, unpack(t, a.archive, "given_1.log")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a.what, diff)
		}
	}
}

// TestUnusualArchives is of what looks like them, and is not.
func TestUnusualArchives(t *testing.T) {
	check := func(what string, batch []byte, want ...string) {
		t.Helper()
		got := unpack(t, batch, "given_1.log")
		for i, w := range want {
			if len(got) != len(want) || !strings.HasPrefix(got[i], w) {
				t.Errorf("%s: got %.300q, want %q", what, got, want)
				return
			}
		}
	}
	const noDirectory, gap, behind = "!an archive without a directory (zip: not a valid zip file) at offset ", "!bytes of an archive that belong to none of its files at offset ", "!bytes behind an archive's end at offset "
	two := pack(t, "a_1.log", "one", "b_1.log", "two")
	a, b := "a_1.log: one", "b_1.log: two"
	join := func(parts ...string) []byte { return []byte(strings.Join(parts, "")) }
	lead := strings.Repeat(" ", maxLead+1)
	check("too much first", join(lead, string(two)), "given_1.log: "+lead+"PK")
	check("text first", join("x\n", string(two)), "given_1.log: x\nPK")
	for _, last := range []string{"\n.", "x", "\x00\x01", "\n\n" + strings.Repeat(" ", 999) + "{}\n"} {
		check("something last", join(string(two), last), a, b, behind+fmt.Sprint(len(two)))
		check("something last, zip64", join(string(withZip64(two, allOfEnd)), last), a, b, behind+fmt.Sprint(len(two)+zip64Len+locatorLen))
	}
	check("too much last", join(string(two), strings.Repeat("\x00", 1<<16)), a, b, noDirectory)
	check("LF first, cut short", join("\n", string(two[:len(two)-9])), a, b, noDirectory)

	// Records for zip64 that lie: who asks for too much is refused, and of what is
	// only wrong the files are read.
	lying := func(at int, n uint64) []byte {
		out := withZip64(two, allOfEnd)
		binary.LittleEndian.PutUint64(out[bytes.LastIndex(out, []byte("PK\x06\x06"))+at:], n)
		return out
	}
	const tooFar, tooLarge = "!an archive of 4 GiB and more at offset 0", "!an archive with a directory of more than 8388608 bytes at offset 0"
	check("many files", lying(32, 1<<16+2), "!an archive of more than 10000 files at offset 0")
	check("a large directory", lying(40, maxDirectory+1), tooLarge)
	check("a directory that wraps", lying(40, math.MaxUint64-10), tooLarge)
	check("a directory far away", lying(48, math.MaxUint32), tooFar)
	check("a directory very far away", lying(48, math.MaxUint64), tooFar)
	check("fewer files", lying(32, 1), a, b, noDirectory)
	check("a directory before the start", lying(40, uint64(len(two))), a, b, noDirectory)
	check("a record of no length", lying(4, 0), a, b, noDirectory)
	check("a record that wraps", lying(4, math.MaxUint64), a, b, noDirectory)
	check("no record", bytes.ReplaceAll(withZip64(two, allOfEnd), []byte("PK\x06\x06"), []byte("PK\x06\x05")), a, b, noDirectory)
	check("no locator", bytes.ReplaceAll(withZip64(two, allOfEnd), []byte("PK\x06\x07"), []byte("PK\x06\x05")), a, b, noDirectory)
	astray := withZip64(two, allOfEnd)
	copy(astray[bytes.LastIndex(astray, []byte("PK\x06\x07"))+8:], strings.Repeat("\xff", 8))
	check("a locator that leads astray", astray, a, b)

	// Bytes hidden in and before a record for zip64.
	hidden := make([]byte, 9000)
	check("in the record", withZip64(two, allOfEnd, hidden...), a, b, noDirectory)
	check("in a record without need", withZip64(two, zip64{}, hidden...), a, b, gap)
	end := bytes.LastIndex(two, []byte("PK\x05\x06"))
	apart := join(string(two[:end]), string(hidden), string(two[end:]))
	check("before the record", withZip64(apart, allOfEnd), a, b, gap)
}

// TestHugeArchive is of one that has more than 4 GiB before its directory.
func TestHugeArchive(t *testing.T) {
	const size = 5 << 30
	archive := allZip64(t, "a_1.log", "one")
	record := bytes.LastIndex(archive, []byte("PK\x06\x06"))
	entry := bytes.LastIndex(archive, []byte("PK\x01\x02"))
	tail := archive[entry:]
	binary.LittleEndian.PutUint64(tail[record-entry+48:], uint64(size-len(tail)))
	b := OpenBatch(sparse{size - int64(len(tail)), archive[:entry], tail}, size, "x")
	if f, err := b.Next(); err == nil || err.Error() != "an archive of 4 GiB and more at offset 0" {
		t.Errorf("got %v, %v", f, err)
	}
	if f, err := b.Next(); err != io.EOF {
		t.Errorf("then got %v, %v", f, err)
	}
}

// sparse is a large file with nothing but zeros between its start and its end.
type sparse struct {
	endAt      int64
	start, end []byte
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(s.start)) {
		copy(p, s.start[off:])
	}
	if in := s.endAt - off; in < int64(len(p)) {
		if n := copy(p[max(in, 0):], s.end[max(-in, 0):]); int(max(in, 0))+n < len(p) {
			return int(max(in, 0)) + n, io.EOF
		}
	}
	return len(p), nil
}
