package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fluent-bit-mimecast/internal/harness"
)

// rival is Fluent Bit's in_tail over the fixture's log files, unpacked to a
// folder, with a parser for each.
type rival struct {
	dir     string
	inputs  string // of the pipeline
	parsers string
	records int64
}

// makeRival writes so many of the fixture's archives as files of lines, one for
// each log type.
func makeRival(f *fixture, archives int, dir string) (*rival, error) {
	r := &rival{dir: dir, records: int64(archives) * f.records}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	seen := map[string][][]byte{}
	for n := range archives {
		types, contents, err := f.unpack(n % len(f.archives))
		if err != nil {
			return nil, err
		}
		for i, content := range contents {
			if f.format == "json" {
				content = jsonLines(content)
			}
			if err := appendFile(r.path(types[i]), content); err != nil {
				return nil, err
			}
			if n < len(f.archives) {
				seen[types[i]] = append(seen[types[i]], content)
			}
		}
	}
	for typ, contents := range seen {
		parser := "json"
		definition := "  - name: json\n    format: json\n    time_key: datetime\n    time_format: \"%Y-%m-%dT%H:%M:%S%z\"\n    time_keep: on\n"
		if f.format != "json" {
			parser = typ
			var err error
			if definition, err = regexParser(typ, contents); err != nil {
				return nil, err
			}
		}
		if !strings.Contains(r.parsers, "name: "+parser+"\n") {
			r.parsers += definition
		}
		r.inputs += fmt.Sprintf("    - name: tail\n      path: %q\n      tag: %s\n      parser: %s\n      read_from_head: on\n      buffer_chunk_size: 512k\n      buffer_max_size: 2m\n", r.path(typ), typ, parser)
	}
	return r, nil
}

func (r *rival) path(typ string) string { return filepath.Join(r.dir, typ+".log") }

func (r *rival) host(fluentBit, dir string) (harness.Host, error) {
	parsers := filepath.Join(dir, "parsers.yaml")
	if err := os.WriteFile(parsers, []byte("parsers:\n"+r.parsers), 0o600); err != nil {
		return harness.Host{}, err
	}
	return harness.Host{
		FluentBit: fluentBit, Dir: dir, Service: map[string]string{"parsers_file": parsers},
		Pipeline: r.inputs + toNull,
	}, nil
}

const toNull = "  outputs:\n    - name: \"null\"\n      match: \"*\"\n"

func appendFile(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// jsonLines turns a log file of one object into one record a line.
func jsonLines(content []byte) []byte {
	list := content[bytes.IndexByte(content, '[')+1 : bytes.LastIndexByte(content, ']')]
	out := bytes.ReplaceAll(list, []byte(`},{"datetime"`), []byte("}\n{\"datetime\""))
	return append(out, '\n')
}

// regexParser is the fastest parser that yields the fields of a type: they come
// in the same order in all lines, so one expression of simple parts will do.
func regexParser(typ string, contents [][]byte) (string, error) {
	lines := bytes.Split(bytes.TrimSpace(bytes.Join(contents, nil)), []byte("\n"))
	var keys []string
	for _, part := range fieldStart.FindAllSubmatch(lines[0], -1) {
		if key := string(part[1]); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	var expr strings.Builder
	for i, key := range keys {
		value := `[^|]*`
		if slices.Contains(freeText, key) {
			value = `.*?`
		}
		if i > 0 {
			expr.WriteString(`\|`)
		}
		fmt.Fprintf(&expr, `%s=(?<%s>%s)`, key, key, value)
	}
	text := "^" + expr.String() + "$"
	test, err := regexp.Compile(text)
	if err != nil {
		return "", err
	}
	for _, line := range lines {
		if !test.Match(line) {
			return "", fmt.Errorf("the rival's parser of %s does not match %q", typ, line)
		}
	}
	var types []string
	for _, key := range keys {
		if slices.Contains(integers, key) {
			types = append(types, key+":integer")
		}
	}
	return fmt.Sprintf("  - name: %s\n    format: regex\n    regex: '%s'\n    time_key: datetime\n    time_format: \"%%Y-%%m-%%dT%%H:%%M:%%S%%z\"\n    time_keep: on\n    skip_empty_values: off\n    types: %q\n",
		typ, strings.ReplaceAll(text, "'", "''"), strings.Join(types, " ")), nil
}

var (
	fieldStart = regexp.MustCompile(`(?:^|\|)([A-Za-z][A-Za-z0-9]*)=`)
	// freeText are the fields whose values may have a | in them.
	freeText = []string{"Subject", "subject", "ReceiptAck", "url", "URL", "AttNames", "fileName", "Definition", "Err", "RejInfo", "Error", "headerFrom", "Sender", "sender"}
	integers = []string{"AttCnt", "AttSize", "MsgSize", "Size", "SpamLimit", "SpamScore", "Attempt", "Latency", "Snt"}
)
