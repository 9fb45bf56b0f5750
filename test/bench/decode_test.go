package bench

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/compress/flate"

	"fluent-bit-mimecast/internal/record"
)

// decoding is what it takes on one core to inflate a fixture, and to decode the
// inflated files to records.
type decoding struct {
	inflate, decode time.Duration
	allocations     float64 // of decoding, for each record
}

func measureDecoding(f *fixture) (d decoding, err error) {
	files, err := f.logFiles()
	if err != nil {
		return d, err
	}
	inflater := flate.NewReader(nil)
	began := time.Now()
	for _, file := range files {
		if err := inflater.(flate.Resetter).Reset(bytes.NewReader(file.packed), nil); err != nil {
			return d, err
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, inflater, make([]byte, 128<<10)); err != nil {
			return d, err
		}
	}
	d.inflate = time.Since(began)

	var reader record.Reader
	out := make([]byte, 0, 256<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began = time.Now()
	records := int64(0)
	for _, file := range files {
		origin := record.Origin{Source: "siem", Type: file.logType, Collected: began}
		decoder := reader.Open(bytes.NewReader(file.content), origin, f.format == "json")
		for {
			out, err = decoder.Next(out)
			if err == io.EOF {
				break
			}
			if err != nil {
				return d, fmt.Errorf("decoding the fixture: %w", err)
			}
			if records++; len(out) > 192<<10 {
				out = out[:0]
			}
		}
	}
	d.decode = time.Since(began)
	runtime.ReadMemStats(&after)
	d.allocations = float64(after.Mallocs-before.Mallocs) / float64(records)
	if want := int64(len(f.archives)) * f.records; records != want {
		return d, fmt.Errorf("%d records of %d", records, want)
	}
	return d, nil
}

type logFile struct {
	logType         string
	packed, content []byte
}

func (f *fixture) logFiles() (list []logFile, err error) {
	for n := range f.archives {
		err := f.files(n, func(file *zip.File) error {
			raw, err := file.OpenRaw()
			if err != nil {
				return err
			}
			packed, err := io.ReadAll(raw)
			if err != nil {
				return err
			}
			in, err := file.Open()
			if err != nil {
				return err
			}
			content, err := io.ReadAll(in)
			list = append(list, logFile{record.TypeOf(file.Name), packed, content})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
