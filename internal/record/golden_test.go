package record

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds records to what they always were, byte for byte: of the
// files in testdata/golden, and of a batch of all types in both formats.
func TestGolden(t *testing.T) {
	var r Reader
	for _, name := range []string{"receipt.json", "delivery.log"} {
		content, err := os.ReadFile(filepath.Join("testdata", "golden", name))
		if err != nil {
			t.Fatal(err)
		}
		for how, in := range readers(string(content)) {
			t.Run(name+" "+how, func(t *testing.T) {
				checkGolden(t, name+".msgpack", encode(t, r.Open(in, origin(), false)))
			})
		}
	}
	for _, format := range []string{"json", "key_value"} {
		t.Run(format, func(t *testing.T) {
			checkGolden(t, "batch."+format+".sha256", digests(t, &r, format))
		})
	}
}

// digests has a line for each file of a simulated batch.
func digests(t *testing.T, r *Reader, format string) []byte {
	server, err := simulator.New(simulator.Config{Seed: 1, Now: func() time.Time { return collected }})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.AddBatch(2000)
	packed, err := server.RawZip(0, format)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		o := Origin{Source: "siem", Type: TypeOf(f.Name), Collected: collected}
		out = fmt.Appendf(out, "%x  %s\n", sha256.Sum256(encode(t, r.Open(in, o, format == "json"))), f.Name)
	}
	return out
}

// encode decodes a file to its records, one behind the other, with a line for
// each damage.
func encode(t *testing.T, d Decoder) []byte {
	var out []byte
	for {
		var err error
		out, err = d.Next(out)
		var damage *Damage
		switch {
		case err == io.EOF:
			return out
		case errors.As(err, &damage) && damage.OneRecord:
			out = fmt.Appendf(out, "\n!%v: %s\n", err, d.Source())
		case errors.As(err, &damage):
			rest, err := io.ReadAll(d.Rest())
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Appendf(out, "\n!%v: %s\n", damage, rest)
		case err != nil:
			t.Fatal(err)
		}
	}
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		if strings.HasSuffix(name, ".sha256") {
			t.Fatalf("the records differ from those of before:\n%s\nwant\n%s", got, want)
		}
		t.Fatalf("the records differ from those of before:\n%q\nwant\n%q", got, want)
	}
}
