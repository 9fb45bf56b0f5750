package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// Key names a log of an account.
type Key struct {
	Account, Log string
}

// String returns the key as it stands in the file.
func (k Key) String() string { return k.Account + "|" + k.Log }

// parseKey is the opposite of String. An application id that stands in for an
// account's name may hold the separator, the name of a log does not.
func parseKey(s string) Key {
	end := strings.LastIndexByte(s, '|')
	if end < 0 {
		return Key{Log: s}
	}
	return Key{s[:end], s[end+1:]}
}

// Origin is where a position comes from: by what the service was asked, and the
// codes of the Mimecast accounts that the records before the position carried,
// as far as they carry one.
type Origin struct {
	Host     string   `json:"host"`
	AppID    string   `json:"app_id"`
	Accounts []string `json:"accounts,omitempty"`
	// Trial is set as long as it is not known whether those who use the position now
	// are the same customer.
	Trial *Trial `json:"trial,omitempty"`
}

// Trial is by what the service is asked now from a position that was reached
// otherwise, and the position as it was before. Others than these go on from there.
type Trial struct {
	Host     string          `json:"host"`
	AppID    string          `json:"app_id"`
	Position json.RawMessage `json:"position,omitempty"`
}

// ID stands for a delivered event: a hash of its id, and its time, by which it
// is forgotten.
type ID struct {
	Unix int64
	Hash [16]byte
}

// Change is what becomes of one log when records are known to be safe.
type Change struct {
	Key      Key
	Position any     // encoded as JSON; nil leaves the position
	Origin   *Origin // not to be changed any more; nil leaves the origin
	AddIDs   []ID
	// ForgetBefore drops ids of events before that time; zero keeps all.
	ForgetBefore int64
}

// Merge adds a change to those that wait, into that of the same key. What the
// change names replaces what the older one does; ids are added.
func Merge(changes []Change, c Change) []Change {
	for i := range changes {
		have := &changes[i]
		if have.Key != c.Key {
			continue
		}
		if c.Position != nil {
			have.Position = c.Position
		}
		if c.Origin != nil {
			have.Origin = c.Origin
		}
		have.AddIDs = append(have.AddIDs, c.AddIDs...)
		have.ForgetBefore = max(have.ForgetBefore, c.ForgetBefore)
		return changes
	}
	// The caller's slice stays its own.
	c.AddIDs = append([]ID(nil), c.AddIDs...)
	return append(changes, c)
}

// version is the layout that this package reads and writes.
const version = "2"

var (
	bucketMeta    = []byte("mimecast")
	bucketStreams = []byte("streams")
	keyVersion    = []byte("version")
	keyPosition   = []byte("position")
	keyOrigin     = []byte("origin")
	keyWritten    = []byte("written")
	keyIDs        = []byte("ids")
)

// prepare makes the buckets of a new file and checks the version of an old one.
func prepare(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		if key, _ := tx.Cursor().First(); key != nil {
			return errForeign
		}
		meta, err := tx.CreateBucket(bucketMeta)
		if err == nil {
			err = meta.Put(keyVersion, []byte(version))
		}
		if err == nil {
			_, err = tx.CreateBucketIfNotExists(bucketStreams)
		}
		return err
	}
	return checkVersion(meta)
}

func checkVersion(meta *bbolt.Bucket) error {
	if v := string(meta.Get(keyVersion)); v != version {
		return fmt.Errorf("%w: version %q, this plugin knows version %s", errVersion, v, version)
	}
	return nil
}

func apply(streams *bbolt.Bucket, c Change) error {
	b, err := streams.CreateBucketIfNotExists([]byte(c.Key.String()))
	if err == nil {
		err = b.Put(keyWritten, []byte(time.Now().UTC().Format(time.RFC3339)))
	}
	if err != nil {
		return err
	}
	if c.Position != nil {
		if err := putJSON(b, keyPosition, c.Position); err != nil {
			return err
		}
	}
	if c.Origin != nil {
		if err := putJSON(b, keyOrigin, c.Origin); err != nil {
			return err
		}
	}
	if len(c.AddIDs) == 0 && c.ForgetBefore == 0 {
		return nil
	}
	ids, err := b.CreateBucketIfNotExists(keyIDs)
	if err != nil {
		return err
	}
	// A change that was merged may add what is older than it forgets: the position
	// has gone back since.
	if err := forget(ids, c.ForgetBefore); err != nil {
		return err
	}
	// In order: in another, the file's library moves all that were put after each,
	// until the transaction ends.
	keys := make([][]byte, 0, len(c.AddIDs))
	for _, id := range c.AddIDs {
		keys = append(keys, encodeID(id))
	}
	slices.SortFunc(keys, bytes.Compare)
	for _, key := range keys {
		if err := ids.Put(key, nil); err != nil {
			return err
		}
	}
	return nil
}

func putJSON(b *bbolt.Bucket, name []byte, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(name, raw)
}

// forget deletes ids from the front, where the oldest are.
func forget(ids *bbolt.Bucket, before int64) error {
	if before == 0 {
		return nil
	}
	end := encodeID(ID{Unix: before})
	var old [][]byte // to be deleted after the cursor has passed them all
	cursor := ids.Cursor()
	for key, _ := cursor.First(); key != nil && bytes.Compare(key, end) < 0; key, _ = cursor.Next() {
		old = append(old, key)
	}
	for _, key := range old {
		if err := ids.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// encodeID keeps times in order as bytes.
func encodeID(id ID) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(id.Unix)^1<<63)
	return append(b, id.Hash[:]...)
}

func decodeID(b []byte) (id ID, ok bool) {
	if len(b) != 8+len(id.Hash) {
		return id, false
	}
	id.Unix = int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	copy(id.Hash[:], b[8:])
	return id, true
}

// move gives a bucket another name, which bbolt can't.
func move(all *bbolt.Bucket, from, to string) error {
	b, err := all.CreateBucket([]byte(to))
	if err == nil {
		err = copyBucket(b, all.Bucket([]byte(from)))
	}
	if err == nil {
		err = all.DeleteBucket([]byte(from))
	}
	return err
}

func copyBucket(to, from *bbolt.Bucket) error {
	return from.ForEach(func(name, value []byte) error {
		inner := from.Bucket(name)
		if inner == nil {
			return to.Put(name, value)
		}
		b, err := to.CreateBucket(name)
		if err != nil {
			return err
		}
		return copyBucket(b, inner)
	})
}
