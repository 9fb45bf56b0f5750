package collector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/simulator"
)

// TestTypesArePartOfNoPosition has batches of one plain file, whose name is in
// the digest of what was delivered, whatever type it tells.
func TestTypesArePartOfNoPosition(t *testing.T) {
	t.Parallel()
	for name, digested := range map[string]bool{
		"receipt_20211018093511655.log":                         true,
		"logs/Receipt_1.log.gz":                                 true,
		"receipt_20211018_093329.json":                          true,
		"0.json":                                                true,
		"_20160705162902600.log":                                true,
		"receipt-20211018.json":                                 false,
		"receipt_2021-10-18.json":                               false,
		"receipt 1.log":                                         false,
		"3d796b76-4180-40e5-8f7c-9a1b2c3d4e5f":                  false,
		"d3796b76-4180-40e5-8f7c-9a1b2c3d4e5f.zip":              false,
		"a123456789012345678901234567890123456789.log":          false,
		"a1234567890123456789012345678901_20211018093511655.gz": true,
	} {
		want := xxhash.Sum64String("")
		if digested {
			want = xxhash.Sum64String(name)
		}
		r := &decoding{name: name}
		if r.enter(name); r.fileHash != want {
			t.Errorf("%s: in the digest: %t, want %t", name, !digested, digested)
		}
		if r.enter("other.log"); r.fileHash != xxhash.Sum64String("other.log") {
			t.Errorf("%s: a file in the archive is not in the digest", name)
		}
	}
}

// letters is a log type for each n below 676.
func letters(n int) string { return fmt.Sprintf("type%c%c", 'a'+n/26, 'a'+n%26) }

func TestTooManyTypesShareATag(t *testing.T) {
	t.Parallel()
	const warning = "too many log types; further ones share a tag"
	withRig(t, simulator.Config{}, []string{"tag_by_type", "on"}, func(r *rig) {
		line := 0
		// batch has two records of each type, in two files.
		batch := func(from, to int) {
			var files []simulator.File
			for n := from; n < to; n++ {
				for part := range 2 {
					line++
					record := fmt.Sprintf(`{"n":%d}`, line)
					files = append(files, simulator.File{
						Name:    fmt.Sprintf("%s_%d.log", letters(n), part),
						Records: []string{record}, JSON: []byte(`{"data":[` + record + `]}`),
					})
				}
			}
			if _, err := r.sim.AddBatchFiles(files); err != nil {
				r.t.Fatal(err)
			}
		}
		// check looks at the tags of the records that came since the last.
		seen := 0
		check := func(want map[string]int) {
			r.t.Helper()
			got := map[string]int{}
			for ; seen < len(r.host.stored); seen++ {
				s := r.host.stored[seen]
				source, logType, _ := strings.Cut(s.tag, ".")
				if got[s.tag]++; logType != delivery.OtherType && !strings.Contains(s.record, `"log_type":"`+logType+`"`) {
					r.t.Errorf("tag %q on %s", s.tag, s.record)
				}
				if !strings.Contains(s.record, `"log_source":"`+source+`"`) || strings.Contains(s.record, `"log_type":"other"`) {
					r.t.Errorf("tag %q on %s", s.tag, s.record)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				r.t.Errorf("got %v\nwant %v", got, want)
			}
		}
		types := func(from, to int) map[string]int {
			want := map[string]int{}
			for n := from; n < to; n++ {
				want["siem."+letters(n)] = 2
			}
			return want
		}

		batch(0, delivery.MaxTags)
		r.start()
		r.run(5 * time.Minute)
		check(types(0, delivery.MaxTags))
		r.notLogged(warning)

		// A log whose tag is one too many, and types of which some are known.
		r.sim.AddEvents(10, time.Now().Add(-time.Hour), 0)
		r.run(time.Hour)
		check(map[string]int{"ttp.other": 10})
		r.logged("level=WARN msg=\""+warning, "log_type=impersonation limit=64 tag={tag}.ttp.other what_to_do=")
		batch(delivery.MaxTags-3, delivery.MaxTags+5)
		r.run(5 * time.Minute)
		want := types(delivery.MaxTags-3, delivery.MaxTags)
		want["siem.other"] = 10
		check(want)
		r.count(warning, 1)

		r.restart(false)
		batch(delivery.MaxTags+3, delivery.MaxTags+7)
		r.run(5 * time.Minute)
		check(types(delivery.MaxTags+3, delivery.MaxTags+7))
		r.count(warning, 1)
		r.clean()
	})
}
