package collector

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/record"
)

// extras adds to records what options ask for: the source text, and an id by which
// a record that comes again is known.
type extras struct {
	originalKey, idKey string // empty: no such field
	api, account, log  string // of the ids
}

func newExtras(cfg config.Config, account, log string) extras {
	return extras{cfg.OriginalKey, cfg.IDKey, fmt.Sprint(cfg.API), account, log}
}

// add adds to the record at buf[start], which ends buf. A nil source adds no source
// text.
func (x extras) add(buf []byte, start int, source []byte, id string) []byte {
	if x.originalKey != "" && source != nil {
		buf = record.AddText(buf, start, x.originalKey, source)
	}
	if x.idKey != "" && id != "" {
		buf = record.AddText(buf, start, x.idKey, []byte(id))
	}
	return buf
}

// maxVendorID bounds the ids of the service that stand in a record's id, in bytes:
// Elasticsearch takes 512.
const maxVendorID = 400

// named returns the id of a record whose event has an id of the service's. Its parts
// are the API, the log and that id.
func (x extras) named(id string) string {
	if len(id) > maxVendorID {
		return x.hashed([]byte(id))
	}
	return strings.Join([]string{x.api, x.log, id}, ":")
}

// hashed returns the id of a record by what tells it apart from the others of the
// account's log.
func (x extras) hashed(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range append([][]byte{[]byte(x.api), []byte(x.account), []byte(x.log)}, parts...) {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // it never fails
		_, _ = h.Write(part)
	}
	return strings.Join([]string{x.api, x.log, hex.EncodeToString(h.Sum(nil)[:16])}, ":")
}

// maxCounted bounds the records of a file among which equal ones are counted: the
// count starts anew after as many.
const maxCounted = 100_000

// fileIDs makes the ids of the records of a log file, in their order: from the
// file's name, the content, and how many equal records are before it.
type fileIDs struct {
	extras
	file   string
	n      uint64            // records so far
	equals map[uint64]uint32 // by the hash of the content, in this stretch
}

// enter begins a file.
func (f *fileIDs) enter(file string) {
	f.file, f.n = file, 0
	clear(f.equals)
}

// next returns the id of the next record of a content; empty if none is asked for.
func (f *fileIDs) next(content []byte) string {
	if f.idKey == "" {
		return ""
	}
	stretch := f.n / maxCounted
	if f.n%maxCounted == 0 {
		clear(f.equals)
	}
	if f.n++; f.equals == nil {
		f.equals = map[uint64]uint32{}
	}
	hash := xxhash.Sum64(content)
	before := f.equals[hash]
	f.equals[hash]++
	place := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, stretch), before)
	return f.hashed([]byte(f.file), place, content)
}
