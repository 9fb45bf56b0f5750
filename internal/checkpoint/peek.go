package checkpoint

import (
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"
)

// peekTries is how often a file is copied that changes meanwhile.
const peekTries = 20

// Peek returns what the file at path holds, by key, also while the plugin has it
// open. It takes no lock, writes nothing to the file, and makes none.
//
// It reads a copy. A commit writes to pages alone that the state before it
// does not use, so the copy has that state whole if no commit has ended between the
// first byte and the last.
func Peek(path string) ([]Stream, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = errBusy
	for try := 0; try < peekTries && err == errBusy; try++ {
		var streams []Stream
		if streams, err = peek(path, f); err == nil {
			return streams, nil
		}
	}
	return nil, opening(path, err)
}

func peek(path string, f *os.File) ([]Stream, error) {
	before, sound := readMeta(f)
	copied, err := copyOf(f)
	if err != nil {
		return nil, err
	}
	defer copied.Close()
	if after, still := readMeta(f); sound && (!still || after != before) {
		return nil, errBusy
	}
	s := &Store{path: path, openFile: os.OpenFile}
	err = s.guard(func() (err error) {
		options := &bbolt.Options{ReadOnly: true, OpenFile: func(string, int, os.FileMode) (*os.File, error) {
			s.file = copied
			return copied, check(copied, false)
		}}
		if s.db, err = bbolt.Open(path, 0o600, options); err != nil {
			return err
		}
		if _, err := takeOver(s.db, s.file, false, s.openFile); err != nil {
			return err
		}
		return s.db.View(recovering(known))
	})
	defer func() { _ = s.close() }()
	if err != nil {
		return nil, err
	}
	return s.Streams()
}

// known refuses a file that is not of the layout that this package knows.
func known(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil || tx.Bucket(bucketStreams) == nil {
		return errForeign
	}
	return checkVersion(meta)
}

// copyOf returns a copy of a file that no folder has.
func copyOf(f *os.File) (*os.File, error) {
	to, err := nameless()
	if err != nil {
		return nil, fmt.Errorf("making a copy: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = io.Copy(to, io.NewSectionReader(f, 0, info.Size()))
	}
	if err != nil {
		to.Close()
		return nil, err
	}
	return to, nil
}
