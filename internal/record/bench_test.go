package record

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"

	"fluent-bit-mimecast/internal/simulator"
)

// batch is the log files of a simulated batch of all types, and how many
// records they have.
type batch struct {
	files   []batchFile
	records int
	size    int64
}

type batchFile struct {
	logType         string
	packed, content []byte
}

func makeBatch(b *testing.B, format string) batch {
	b.Helper()
	out := batch{records: 10000}
	server, err := simulator.New(simulator.Config{Seed: 1, Now: func() time.Time { return collected }})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	server.AddBatch(out.records)
	archive, err := server.RawZip(0, format)
	if err != nil {
		b.Fatal(err)
	}
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files.File {
		raw, err := f.OpenRaw()
		if err != nil {
			b.Fatal(err)
		}
		in, err := f.Open()
		if err != nil {
			b.Fatal(err)
		}
		file := batchFile{logType: TypeOf(f.Name), packed: readAll(b, raw), content: readAll(b, in)}
		out.files = append(out.files, file)
		out.size += int64(len(file.content))
	}
	return out
}

func readAll(b *testing.B, r io.Reader) []byte {
	b.Helper()
	content, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	return content
}

// report adds the cost of one record.
func (in batch) report(b *testing.B) {
	b.SetBytes(in.size)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(in.records), "ns/record")
}

func BenchmarkInflate(b *testing.B) {
	for _, format := range []string{"json", "key_value"} {
		b.Run(format, func(b *testing.B) {
			in := makeBatch(b, format)
			inflater := flate.NewReader(nil)
			buf := make([]byte, windowSize)
			for b.Loop() {
				for _, f := range in.files {
					if err := inflater.(flate.Resetter).Reset(bytes.NewReader(f.packed), nil); err != nil {
						b.Fatal(err)
					}
					if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, inflater, buf); err != nil {
						b.Fatal(err)
					}
				}
			}
			in.report(b)
		})
	}
}

// BenchmarkSplit finds where the records of JSON files end and does nothing
// with them.
func BenchmarkSplit(b *testing.B) {
	in := makeBatch(b, "json")
	for b.Loop() {
		for _, f := range in.files {
			i := bytes.IndexByte(f.content, '[') + 1
			for f.content[i-1] != ']' {
				end, err := skipValue(f.content, i)
				if err != nil {
					b.Fatal(err)
				}
				i = end + 1
			}
		}
	}
	in.report(b)
}

// BenchmarkEncode splits and encodes.
func BenchmarkEncode(b *testing.B) {
	for _, format := range []string{"json", "key_value"} {
		b.Run(format, func(b *testing.B) {
			in := makeBatch(b, format)
			var r Reader
			out := make([]byte, 0, 256<<10)
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range in.files {
					d := r.Open(bytes.NewReader(f.content), Origin{Source: "siem", Type: f.logType, Collected: collected}, format == "json")
					for {
						var err error
						if out, err = d.Next(out); err == io.EOF {
							break
						} else if err != nil {
							b.Fatal(err)
						}
						if len(out) > 192<<10 {
							out = out[:0]
						}
					}
				}
			}
			in.report(b)
		})
	}
}

func BenchmarkTimestamp(b *testing.B) {
	text := []byte("2021-10-19T07:06:40+0100")
	b.Run("fixed", func(b *testing.B) {
		for b.Loop() {
			if _, ok := ParseTime(text); !ok {
				b.Fatal("not read")
			}
		}
	})
	b.Run("time.Parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := time.Parse("2006-01-02T15:04:05-0700", string(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
