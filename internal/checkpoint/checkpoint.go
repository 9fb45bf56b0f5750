// Package checkpoint keeps positions in a file: where each stream of logs is,
// and the ids of events that were delivered, so that a restart goes on where
// the last run stopped.
//
// The file is a bbolt database:
//
//	mimecast/version                    the version of this layout, "1"
//	streams/{host}|{app id}|{stream}/   one bucket a stream
//	    position                        JSON, as the stream wrote it
//	    written                         when, in RFC 3339
//	    ids/{time}{hash}                delivered ids, oldest first, no values
//
// A stream belongs to a service host and an application id: instances are
// renamed and access keys are rotated, and neither moves a position.
package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Key names a stream.
type Key struct {
	Host, AppID, Stream string
}

// String returns the key as it stands in the file.
func (k Key) String() string { return k.Host + "|" + k.AppID + "|" + k.Stream }

// parseKey is the opposite of String.
func parseKey(s string) Key {
	host, rest, _ := strings.Cut(s, "|")
	end := strings.LastIndexByte(rest, '|')
	if end < 0 {
		return Key{Host: host, Stream: rest}
	}
	return Key{host, rest[:end], rest[end+1:]}
}

// ID stands for a delivered event: a hash of its id, and its time, by which it
// is forgotten.
type ID struct {
	Unix int64
	Hash [16]byte
}

// Change is what becomes of one stream when records are known to be safe.
type Change struct {
	Key      Key
	Position any // encoded as JSON; nil leaves the position
	AddIDs   []ID
	// ForgetBefore drops ids of events before that time; zero keeps all.
	ForgetBefore int64
}

// version is the layout that this package reads and writes.
const version = "1"

var (
	bucketMeta    = []byte("mimecast")
	bucketStreams = []byte("streams")
	keyVersion    = []byte("version")
	keyPosition   = []byte("position")
	keyWritten    = []byte("written")
	keyIDs        = []byte("ids")
)

// lockWait is how long opening waits for another process.
const lockWait = 100 * time.Millisecond

// Store is an open file. It is safe for concurrent use, and its methods wait
// for the disk.
type Store struct {
	path   string
	db     *bbolt.DB
	file   *os.File
	broken atomic.Bool // bbolt has panicked and may hold its locks for good
}

var errBroken = errors.New("the file is damaged, or was changed while it was in use; move it away and restart")

// Open opens a file that is there, for those who don't share it with others.
func Open(path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return open(path)
}

// open makes or opens a file.
func open(path string) (*Store, error) {
	s := &Store{path: path}
	options := &bbolt.Options{Timeout: lockWait, OpenFile: func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
		if s.file, err = os.OpenFile(path, flag, mode); err != nil {
			return nil, err
		}
		return s.file, checkLength(s.file)
	}}
	err := s.guard(func() (err error) {
		if s.db, err = bbolt.Open(path, 0o600, options); err != nil {
			return err
		}
		return s.db.Update(prepare)
	})
	if err != nil {
		_ = s.close() // what is wrong has been found already
	}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("db %s is in use by another process", path)
	case err != nil && !errors.Is(err, os.ErrPermission) && isOpenError(err):
		return nil, fmt.Errorf("db %s can't be used as a checkpoint file; move it away to start anew: %w", path, err)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("db %s can't be made: its folder does not exist", path)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("db %s can't be opened: user %d may not read and write it, or may not write to its folder", path, os.Getuid())
	case err != nil:
		return nil, fmt.Errorf("db %s can't be opened: %w", path, err)
	}
	return s, nil
}

// isOpenError says whether a file could be read and is not one of ours.
func isOpenError(err error) bool {
	var path *os.PathError
	return !errors.As(err, &path)
}

// prepare makes the buckets of a new file and checks the version of an old one.
func prepare(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		if key, _ := tx.Cursor().First(); key != nil {
			return errors.New("it is a database of another program")
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
	if v := string(meta.Get(keyVersion)); v != version {
		return fmt.Errorf("its layout is of version %q, this plugin knows version %s", v, version)
	}
	return nil
}

// Load reads a stream's position into pos; false when it has none.
func (s *Store) Load(k Key, pos any) (found bool, err error) {
	err = s.view(k, func(b *bbolt.Bucket) error {
		raw := b.Get(keyPosition)
		if raw == nil {
			return nil
		}
		found = true
		return json.Unmarshal(raw, pos)
	})
	if err != nil {
		return false, fmt.Errorf("db %s: reading the position of %s: %w", s.path, k, err)
	}
	return found, nil
}

// IDs calls fn with each delivered id of a stream, oldest first.
func (s *Store) IDs(k Key, fn func(ID)) error {
	err := s.view(k, func(b *bbolt.Bucket) error {
		ids := b.Bucket(keyIDs)
		if ids == nil {
			return nil
		}
		return ids.ForEach(func(key, _ []byte) error {
			if id, ok := decodeID(key); ok {
				fn(id)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("db %s: reading the ids of %s: %w", s.path, k, err)
	}
	return nil
}

func (s *Store) view(k Key, fn func(*bbolt.Bucket) error) error {
	return s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket(bucketStreams).Bucket([]byte(k.String())); b != nil {
				return fn(b)
			}
			return nil
		})
	})
}

// Commit applies changes, in their order, in one transaction: either all of
// them are on disk when it returns, or none.
func (s *Store) Commit(changes []Change) error {
	err := s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			for _, c := range changes {
				if err := apply(tx.Bucket(bucketStreams), c); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("db %s: writing: %w", s.path, err)
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
		raw, err := json.Marshal(c.Position)
		if err != nil {
			return err
		}
		if err := b.Put(keyPosition, raw); err != nil {
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
	for _, id := range c.AddIDs {
		if err := ids.Put(encodeID(id), nil); err != nil {
			return err
		}
	}
	return forget(ids, c.ForgetBefore)
}

// forget deletes ids from the front, where the oldest are.
func forget(ids *bbolt.Bucket, before int64) error {
	if before == 0 {
		return nil
	}
	end := encodeID(ID{Unix: before})
	cursor := ids.Cursor()
	for key, _ := cursor.First(); key != nil && bytes.Compare(key, end) < 0; key, _ = cursor.First() {
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

// Stream is what a file holds of one stream.
type Stream struct {
	Key      Key
	Position []byte // JSON; nil when it has none
	IDs      int
	Written  time.Time // the latest commit
}

// Streams returns what the file holds, by key.
func (s *Store) Streams() (streams []Stream, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			all := tx.Bucket(bucketStreams)
			return all.ForEachBucket(func(name []byte) error {
				b := all.Bucket(name)
				st := Stream{Key: parseKey(string(name)), Position: bytes.Clone(b.Get(keyPosition))}
				st.Written, _ = time.Parse(time.RFC3339, string(b.Get(keyWritten)))
				if ids := b.Bucket(keyIDs); ids != nil {
					st.IDs = ids.Stats().KeyN
				}
				streams = append(streams, st)
				return nil
			})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("db %s: %w", s.path, err)
	}
	return streams, nil
}

// Forget drops all that the file holds of a stream; false when that is nothing.
func (s *Store) Forget(k Key) (had bool, err error) {
	err = s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			streams := tx.Bucket(bucketStreams)
			if had = streams.Bucket([]byte(k.String())) != nil; !had {
				return nil
			}
			return streams.DeleteBucket([]byte(k.String()))
		})
	})
	if err != nil {
		return false, fmt.Errorf("db %s: %w", s.path, err)
	}
	return had, nil
}

// Close closes the file. Stores that come from a Claim are closed by its
// Release.
func (s *Store) Close() error { return s.close() }

func (s *Store) close() error {
	var err error
	if s.db != nil {
		err = s.guard(s.db.Close)
	}
	if s.file != nil {
		_ = s.file.Close() // where bbolt gave up without
	}
	return err
}

// guard turns what a damaged file can do to bbolt, which maps it into memory
// and trusts it, into an error: panics, and faults of pages that are not there.
func (s *Store) guard(fn func() error) (err error) {
	if s.broken.Load() {
		return errBroken
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			s.broken.Store(true)
			err = fmt.Errorf("%w (%v)", errBroken, r)
		}
	}()
	return fn()
}
