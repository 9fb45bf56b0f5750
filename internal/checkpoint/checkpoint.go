// Package checkpoint keeps positions in a file: where each log is, and the ids
// of events that were delivered, so that a restart goes on where the last run
// stopped.
//
// The file is a bbolt database:
//
//	mimecast/version             the version of this layout, "2"
//	streams/{account}|{log}/     one bucket a log
//	    position                 JSON, as its stream wrote it
//	    origin                   JSON, see [Origin]
//	    written                  when, in RFC 3339
//	    ids/{time}{hash}         delivered ids, oldest first, no values
//
// A log belongs to an account, which is a name that lasts: hosts are spelled in
// several ways, and application ids and access keys change, and none of them
// moves a position.
package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long opening waits for another process.
const lockWait = 100 * time.Millisecond

// maxFaults bounds the panics outside of a transaction's own code, each of which
// leaves a mapping of the file in memory.
const maxFaults = 100

// Store is an open file. It is safe for concurrent use, and its methods wait
// for the disk. After an error that makes an open file useless it is opened again,
// by the method that got it when that writes, or else by the next.
type Store struct {
	path string
	// takesOver has a file of an earlier layout taken over, not refused.
	takesOver bool
	// openFile replaces os.OpenFile, in tests.
	openFile openFunc

	// mu keeps others out of bbolt, whose own locks a panic may leave locked.
	mu     sync.Mutex
	db     *bbolt.DB // nil while it has to be opened
	file   *os.File
	opened bool // at some time
	closed bool // for good
	faults int
	copied string // see TakenOver
}

// Open opens a file that is there, for those who don't share it with others. It
// refuses one of an earlier layout: taking it over is the plugin's.
func Open(path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s := newStore(path)
	s.takesOver = false
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// newStore returns a store whose file is not open yet. It makes a file that is
// not there, and takes over one of an earlier layout.
func newStore(path string) *Store {
	return &Store{path: path, takesOver: true, openFile: os.OpenFile}
}

// start makes or opens the file unless it is open. Try again later when it fails.
func (s *Store) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.ready(); {
	case err == nil:
		return nil
	case s.opened:
		return failure(s.path, "can't be opened", err)
	default:
		return opening(s.path, err)
	}
}

// ready opens the file unless it is open.
func (s *Store) ready() error {
	switch {
	case s.closed:
		return bolterrors.ErrDatabaseNotOpen
	case s.db != nil:
		return nil
	case s.faults >= maxFaults:
		return errFaults
	}
	options := &bbolt.Options{Timeout: lockWait, OpenFile: s.openChecked}
	err := s.guard(func() (err error) {
		if s.db, err = bbolt.Open(s.path, 0o600, options); err != nil {
			return err
		}
		copied, err := takeOver(s.db, s.file, s.takesOver, s.openFile)
		if err != nil {
			return err
		}
		if copied != "" {
			s.copied = copied
		}
		return s.db.Update(recovering(prepare))
	})
	if err != nil {
		_ = s.drop() // what is wrong has been found already
		return err
	}
	s.opened = true
	return nil
}

// openChecked opens the file for bbolt. One that is opened again must be there:
// its folder may be that of a mount which has gone.
func (s *Store) openChecked(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
	if s.opened {
		flag &^= os.O_CREATE
	}
	if s.file, err = s.openFile(path, flag, mode); err != nil {
		return nil, err
	}
	if err := lock(s.file); err != nil {
		return s.file, err
	}
	return s.file, check(s.file, !s.opened)
}

// lock locks a file before it is looked at: another process may be writing to it.
// That bbolt locks it once more changes nothing.
func lock(f *os.File) error {
	for end := time.Now().Add(lockWait); ; time.Sleep(lockWait / 4) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case err != syscall.EWOULDBLOCK:
			return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		case time.Now().After(end):
			return bolterrors.ErrTimeout
		}
	}
}

// Load reads a log's position into pos; false when it has none.
func (s *Store) Load(k Key, pos any) (found bool, err error) {
	return s.load(k, keyPosition, pos, "the position")
}

// Origin returns where a log's position comes from; nil when that is not known.
func (s *Store) Origin(k Key) (*Origin, error) {
	var o Origin
	found, err := s.load(k, keyOrigin, &o, "the origin")
	if !found {
		return nil, err
	}
	return &o, err
}

// load decodes what a log's bucket has under a name, which is JSON.
func (s *Store) load(k Key, name []byte, into any, what string) (found bool, err error) {
	err = s.viewStream(k, func(b *bbolt.Bucket) error {
		raw := b.Get(name)
		if raw == nil {
			return nil
		}
		found = true
		return json.Unmarshal(raw, into)
	})
	if err != nil {
		return false, failure(s.path, "can't be read for "+what+" of "+k.String(), err)
	}
	return found, nil
}

// IDs calls fn with each delivered id of a log, oldest first.
func (s *Store) IDs(k Key, fn func(ID)) error {
	err := s.viewStream(k, func(b *bbolt.Bucket) error {
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
		return failure(s.path, "can't be read for the ids of "+k.String(), err)
	}
	return nil
}

func (s *Store) viewStream(k Key, fn func(*bbolt.Bucket) error) error {
	return s.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketStreams).Bucket([]byte(k.String())); b != nil {
			return fn(b)
		}
		return nil
	})
}

// Commit applies changes, in their order, in one transaction: either all of
// them are on disk when it returns, or none.
func (s *Store) Commit(changes []Change) error {
	err := s.update(func(tx *bbolt.Tx) error {
		for _, c := range changes {
			if err := apply(tx.Bucket(bucketStreams), c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return failure(s.path, "can't be written", err)
	}
	return nil
}

// Stream is what a file holds of one log.
type Stream struct {
	Key      Key
	Position []byte // JSON; nil when it has none
	Origin   Origin
	IDs      int
	Written  time.Time // the latest commit
}

// Streams returns what the file holds, by key.
func (s *Store) Streams() (streams []Stream, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		all := tx.Bucket(bucketStreams)
		return all.ForEachBucket(func(name []byte) error {
			b := all.Bucket(name)
			st := Stream{Key: parseKey(string(name)), Position: bytes.Clone(b.Get(keyPosition))}
			st.Written, _ = time.Parse(time.RFC3339, string(b.Get(keyWritten)))
			if raw := b.Get(keyOrigin); raw != nil {
				if err := json.Unmarshal(raw, &st.Origin); err != nil {
					return fmt.Errorf("the origin of %s: %w", st.Key, err)
				}
			}
			if ids := b.Bucket(keyIDs); ids != nil {
				st.IDs = ids.Stats().KeyN
			}
			streams = append(streams, st)
			return nil
		})
	})
	if err != nil {
		return nil, failure(s.path, "can't be read", err)
	}
	return streams, nil
}

// Forget drops all that the file holds of a log; false when that is nothing.
func (s *Store) Forget(k Key) (had bool, err error) {
	err = s.update(func(tx *bbolt.Tx) error {
		streams := tx.Bucket(bucketStreams)
		if had = streams.Bucket([]byte(k.String())) != nil; !had {
			return nil
		}
		return streams.DeleteBucket([]byte(k.String()))
	})
	if err != nil {
		return false, failure(s.path, "can't be written", err)
	}
	return had, nil
}

// Rename gives all logs of an account to another name, and returns how many they
// are. It changes nothing when that name has one of these logs already.
func (s *Store) Rename(from, to string) (logs int, err error) {
	var taken Key
	err = s.update(func(tx *bbolt.Tx) error {
		logs, taken = 0, Key{}
		all := tx.Bucket(bucketStreams)
		var keys []Key
		err := all.ForEachBucket(func(name []byte) error {
			if k := parseKey(string(name)); k.Account == from {
				keys = append(keys, k)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, k := range keys {
			if target := (Key{to, k.Log}); all.Bucket([]byte(target.String())) != nil {
				taken = target
				return errTaken
			}
		}
		for _, k := range keys {
			if err := move(all, k.String(), Key{to, k.Log}.String()); err != nil {
				return err
			}
			logs++
		}
		return nil
	})
	switch {
	case errors.Is(err, errTaken):
		return 0, fmt.Errorf("db %s is not changed: %w: %s; forget it first, if nothing needs it", s.path, err, taken)
	case err != nil:
		return 0, failure(s.path, "can't be written", err)
	}
	return logs, nil
}

// Close closes the file. Stores that come from a Claim are closed by its
// Release.
func (s *Store) Close() error { return s.close() }

func (s *Store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.drop()
}

// drop closes what is open.
func (s *Store) drop() error {
	var err error
	if s.db != nil {
		err = s.guard(s.db.Close)
	}
	if s.file != nil {
		_ = s.file.Close() // where bbolt gave up without
	}
	s.db, s.file = nil, nil
	return err
}

func (s *Store) view(fn func(*bbolt.Tx) error) error {
	return s.use(func() error { return s.db.View(recovering(fn)) })
}

func (s *Store) update(fn func(*bbolt.Tx) error) error {
	try := func() error { return s.db.Update(recovering(fn)) }
	err := s.use(try)
	if losesFile(err) {
		err = s.use(try) // the file at the path may be well
	}
	return err
}

// use runs fn with the file open.
func (s *Store) use(fn func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	err := s.guard(fn)
	if losesFile(err) {
		_ = s.drop() // it is of no use any more
	}
	return err
}

// guard turns what a file can do to bbolt, which maps it into memory and trusts
// it, into an error: panics, and faults of pages that are not there. After one
// bbolt may hold its locks for good, so that it can't be closed.
func (s *Store) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		err = panicError(r)
		s.faults++
		if s.file != nil {
			// The mapping is left, and would keep the lock.
			_ = syscall.Flock(int(s.file.Fd()), syscall.LOCK_UN)
			_ = s.file.Close()
		}
		s.db, s.file = nil, nil
	}()
	return fn()
}

// Migrated returns the path of the copy that was made when a file of an earlier
// layout was taken over; empty when none was, and from the second call on.
func (s *Store) Migrated() (copied string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied, s.copied = s.copied, ""
	return copied
}
