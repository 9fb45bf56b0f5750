package harness

import (
	"bytes"
	"os"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// appended returns an append of the small host: a record of one member for each
// value.
func appended(b []byte, tag string, values ...int) []byte {
	var records []byte
	for _, v := range values {
		records = msgp.AppendArrayHeader(records, 2)
		records = msgp.AppendArrayHeader(records, 2)
		records = msgp.AppendInt(records, 1)
		records = msgp.AppendMapHeader(records, 0)
		records = msgp.AppendMapHeader(records, 1)
		records = msgp.AppendInt(msgp.AppendString(records, "n"), v)
	}
	return msgp.AppendBytes(msgp.AppendString(b, tag), records)
}

func TestReceive(t *testing.T) {
	first := appended(nil, "a", 1, 2)
	both := appended(first, "b", 3)
	for n := range len(both) + 1 {
		p := Process{host: Host{Dir: t.TempDir()}}
		if err := p.receive(bytes.NewReader(both[:n])); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		want := map[string]string{}
		if n >= len(first) {
			want["a"] = "{\"n\":1}\n{\"n\":2}\n"
		}
		if n == len(both) {
			want["b"] = "{\"n\":3}\n"
		}
		for path, want := range map[string]string{p.host.Output(): want["a"] + want["b"], p.host.Tagged("a"): want["a"], p.host.Tagged("b"): want["b"]} {
			got, err := os.ReadFile(path)
			if string(got) != want || (err != nil && want != "") {
				t.Errorf("%d bytes: %s holds %q, want %q", n, path, got, want)
			}
		}
	}
}
