package collector

import (
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestTypesArePartOfNoPosition has batches of one plain file, whose name is in
// the digest of what was delivered, whatever type it tells.
func TestTypesArePartOfNoPosition(t *testing.T) {
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
		r := &batchRun{f: &fetched{name: name}}
		if r.enter(name); r.fileHash != want {
			t.Errorf("%s: in the digest: %t, want %t", name, !digested, digested)
		}
		if r.enter("other.log"); r.fileHash != xxhash.Sum64String("other.log") {
			t.Errorf("%s: a file in the archive is not in the digest", name)
		}
	}
}
