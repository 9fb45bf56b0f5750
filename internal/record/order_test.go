package record

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOrderOfFields has records whose fields come in the same order, with keys
// and texts of all lengths around those that are handled by words, and with
// something in each place of a text that ends its plain part.
func TestOrderOfFields(t *testing.T) {
	for length := 1; length < 40; length++ {
		if testing.Short() && length%16 > 1 && length%16 < 15 {
			continue // keys are compared in blocks of 16 bytes
		}
		key := strings.Repeat("k", length)
		var texts []string
		for n := range 70 {
			texts = append(texts, strings.Repeat("x", n))
		}
		for n := range 40 {
			texts = append(texts, strings.Repeat("x", n)+"| é\\\"=\t"+strings.Repeat("y", 40-n))
		}
		var lines, objects strings.Builder
		var wantLines, wantObjects []string
		for n, text := range texts {
			spelled := fmt.Sprintf(`"%s"`, strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(text))
			fmt.Fprintf(&lines, "a=%s|%s=%s|%s2=3|d=\n", text, key, text, key)
			value := spelled
			if text == "" {
				value = "null"
			}
			if n%3 == 0 {
				spelled = "null"
			}
			fmt.Fprintf(&objects, `{"a":"1","%s":%s,"%s2":"3","d":%s}`, key, spelled, key, spelled)
			wantLines = append(wantLines, fmt.Sprintf(`{,"a":%s,"%s":%s,"%s2":"3","d":null}`, value, key, value, key))
			wantObjects = append(wantObjects, fmt.Sprintf(`{,"a":"1","%s":%s,"%s2":"3","d":%s}`, key, spelled, key, spelled))
		}
		checkFile(t, openKeyValue, lines.String(), wantLines...)
		checkFile(t, openJSON, objects.String(), wantObjects...)
	}
}

// TestOrderOfSimilarKeys has keys that differ at their ends only.
func TestOrderOfSimilarKeys(t *testing.T) {
	for length := range 40 {
		key := strings.Repeat("k", length)
		var lines, objects strings.Builder
		var want []string
		for _, k := range []string{"kA", "kA", "kB", "k", "kAA", "kA", "kB"} {
			k = key + k
			fmt.Fprintf(&lines, "a=0|b=1|%s=2|c=3|d=4\n", k)
			fmt.Fprintf(&objects, `{"a":"0","b":"1","%s":"2","c":"3","d":"4"}`, k)
			want = append(want, fmt.Sprintf(`{,"a":"0","b":"1","%s":"2","c":"3","d":"4"}`, k))
		}
		checkFile(t, openKeyValue, lines.String(), want...)
		checkFile(t, openJSON, objects.String(), want...)
	}
}

// TestOrderIsNoGrammar has what would be taken for the next field by its bytes
// alone.
func TestOrderIsNoGrammar(t *testing.T) {
	begin := `[{"b":"1","c":"0"},{"a":"1","x":"1","b":"2","c":"0"},`
	want := []string{`{,"b":"1","c":"0"}`, `{,"a":"1","x":"1","b":"2","c":"0"}`}
	for _, bad := range []string{
		`{"a":"1""x":"1","b":"y","c":"0"}]`, `{"a":"1","x":"1""b":"y","c":"0"}]`, `{,"x":"1","b":"y","c":"0"}]`,
		`{"a":"1","x":nullx,"b":"y","c":"0"}]`, `{"a":"1","x":"1"|"b":"y","c":"0"}]`, "{\"a\":\"1\",\"x\":\"1\n\",\"b\":\"y\",\"c\":\"0\"}]",
	} {
		checkFile(t, openJSON, begin+bad, append(want[:2:2], fmt.Sprintf("!not JSON at offset %d: %s", len(begin), bad))...)
	}
}

// TestOrderOfRepeatedFields has keys that the order has further ahead, or behind,
// or that come twice.
func TestOrderOfRepeatedFields(t *testing.T) {
	var lines, objects strings.Builder
	var want, wantLines []string
	for _, keys := range []string{"abcde", "abcde", "cabde", "aabcde", "abbcde", "abcbde", "abcdebcd", "bbcab", "edcba", "abxcdxe", "abcde"} {
		var fields, members, kept []string
		for n, key := range keys {
			fields = append(fields, fmt.Sprintf("%c=%d", key, n))
			members = append(members, fmt.Sprintf(`"%c":"%d"`, key, n))
			if strings.IndexRune(keys, key) == n {
				kept = append(kept, members[n])
			}
		}
		line := strings.Join(fields, "|")
		lines.WriteString(line + "\n")
		objects.WriteString("{" + strings.Join(members, ",") + "}")
		want = append(want, "{,"+strings.Join(kept, ",")+"}")
		wantLines = append(wantLines, want[len(want)-1])
		if len(kept) < len(members) {
			wantLines[len(want)-1] = flagged(t, want[len(want)-1], fieldTwice, line)
		}
	}
	checkFile(t, openKeyValue, lines.String(), wantLines...)
	checkFile(t, openJSON, objects.String(), want...)
}

// TestOrderOfManyFields has more keys than an order keeps, and each twice.
func TestOrderOfManyFields(t *testing.T) {
	var line, object, want []string
	for n := range 2 * maxOrder {
		line = append(line, fmt.Sprintf("k%d=%d", n, n))
		object = append(object, fmt.Sprintf(`"k%d":"%d"`, n, n))
	}
	want = append(want, "{,"+strings.Join(object, ",")+"}")
	twice := append(line, line...)
	lines := strings.Join(twice, "|")
	wantLine := flagged(t, want[0], fieldTwice, lines)
	checkFile(t, openKeyValue, strings.Repeat(lines+"\n", 3), wantLine, wantLine, wantLine)
	twice = append(object, object...)
	checkFile(t, openJSON, strings.Repeat("{"+strings.Join(twice, ",")+"}", 3), want[0], want[0], want[0])
}

// TestOrderCountsFields has a record whose fields go over the bound among those
// that come in order.
func TestOrderCountsFields(t *testing.T) {
	var line, object []string
	for n := range 60 {
		line = append(line, fmt.Sprintf("k%d=%d", n, n))
		object = append(object, fmt.Sprintf(`"k%d":"%d"`, n, n))
	}
	want := "{," + strings.Join(object, ",") + "}"
	for _, more := range []int{maxFields - 60, maxFields - 59, maxFields - 30} {
		first := "k0=0\n" + strings.Join(line, "|") + "\n"
		long := strings.Repeat("k0=0|", more) + strings.Join(line, "|")
		wants := []string{`{,"k0":"0"}`, want, flagged(t, want, fieldTwice, long)}
		if more > maxFields-60 {
			wants[2] = fmt.Sprintf("!too many fields at offset %d: %s", len(first), long)
		}
		checkFile(t, openKeyValue, first+long+"\n", wants...)
		first = `[{` + strings.Join(object, ",") + `},`
		long = `{` + strings.Repeat(`"k0":"0",`, more) + strings.Join(object, ",") + `}`
		if wants = []string{want, want}; more > maxFields-60 {
			wants[1] = fmt.Sprintf("!too many fields at offset %d: %s", len(first), long)
		}
		checkFile(t, openJSON, first+long+"]", wants...)
	}
}

// TestOrderAtTheWindowsEnd has files of several windows.
func TestOrderAtTheWindowsEnd(t *testing.T) {
	var lines, objects strings.Builder
	var want []string
	for n := range 20 * windowSize / 100 {
		text := strings.Repeat("x", n%41)
		fmt.Fprintf(&lines, "a=1%s|b=2%s|c=3%s|d=4%s\n", text, text, text, text)
		fmt.Fprintf(&objects, `,{"a":"1%s","b":"2%s","c":"3%s","d":"4%s"}`, text, text, text, text)
		want = append(want, fmt.Sprintf(`{,"a":"1%s","b":"2%s","c":"3%s","d":"4%s"}`, text, text, text, text))
	}
	for name, got := range map[string][]string{
		"key_value": read(t, openKeyValue(strings.NewReader(lines.String()))),
		"json":      read(t, openJSON(strings.NewReader("["+objects.String()[1:]+"]"))),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %.1000s", name, diff)
		}
	}
}

// TestOrderLooksBehindNoEnd has a file whose end is followed, in the buffer, by
// what the file before it had there.
func TestOrderLooksBehindNoEnd(t *testing.T) {
	line, object := "a=1|b=2|c=3|d=4\n", `{"a":"1","b":"2","c":"3","d":"4"},`
	for end := range len(object) {
		keyValue, json := new(KeyValueDecoder), new(JSONDecoder)
		for _, n := range []int{10, 1} {
			lines, objects := strings.Repeat(line, n)+line[:end%len(line)], "["+strings.Repeat(object, n)+object[:end]
			keyValue.Reset(strings.NewReader(lines), origin())
			if diff := cmp.Diff(read(t, openKeyValue(strings.NewReader(lines))), read(t, keyValue)); diff != "" {
				t.Errorf("%q: %s", lines, diff)
			}
			json.Reset(strings.NewReader(objects), origin())
			if diff := cmp.Diff(read(t, openJSON(strings.NewReader(objects))), read(t, json)); diff != "" {
				t.Errorf("%q: %s", objects, diff)
			}
		}
	}
}
