package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// version1 is the layout before this one. It differs in the name of a bucket,
//
//	streams/{host}|{app id}|{stream}/
//
// and has no origins. The names of the streams are those of the logs.
const version1 = "1"

// copySuffix is what the copy of a file of version 1 has behind its name.
const copySuffix = ".v1"

// takeOver brings an open file of version 1 into this layout, in one transaction and
// behind a copy. It reads all that it needs before it makes the copy, so that a
// damaged file takes the place of no older copy that is sound.
func takeOver(db *bbolt.DB, file *os.File, allowed bool, openFile openFunc) (copied string, err error) {
	var streams []oldStream
	var old bool
	err = db.View(recovering(func(tx *bbolt.Tx) (err error) {
		meta := tx.Bucket(bucketMeta)
		if old = meta != nil && string(meta.Get(keyVersion)) == version1; !old {
			return nil
		}
		streams, err = readVersion1(tx)
		return err
	}))
	switch {
	case err != nil || !old:
		return "", err
	case !allowed:
		return "", ErrOld
	}
	to := db.Path() + copySuffix
	if err := copyTo(file, to, openFile); err != nil {
		return "", &copyError{to, err}
	}
	return to, db.Update(recovering(func(tx *bbolt.Tx) error { return writeStreams(tx, streams) }))
}

// openFunc opens a file as os.OpenFile does.
type openFunc func(path string, flag int, mode os.FileMode) (*os.File, error)

// oldStream is what a file of version 1 holds of a stream.
type oldStream struct {
	key               Key
	origin            Origin
	position, written []byte
	ids               [][]byte // as they are encoded
}

// readVersion1 returns the streams by the keys that they get. Where two get the
// same, it returns the one that was written last: it is the one that the plugin
// has gone on with, and began at the earliest logs when the other was left.
func readVersion1(tx *bbolt.Tx) ([]oldStream, error) {
	all := tx.Bucket(bucketStreams)
	if all == nil {
		return nil, errDamaged
	}
	var streams []oldStream
	err := all.ForEachBucket(func(name []byte) error {
		b := all.Bucket(name)
		st := oldStream{position: bytes.Clone(b.Get(keyPosition)), written: bytes.Clone(b.Get(keyWritten))}
		st.key, st.origin = parseVersion1(string(name))
		if ids := b.Bucket(keyIDs); ids != nil {
			err := ids.ForEach(func(id, _ []byte) error {
				st.ids = append(st.ids, bytes.Clone(id))
				return nil
			})
			if err != nil {
				return err
			}
		}
		same := slices.IndexFunc(streams, func(have oldStream) bool { return have.key == st.key })
		switch {
		case same < 0:
			streams = append(streams, st)
		case !streams[same].time().After(st.time()):
			streams[same] = st
		}
		return nil
	})
	return streams, err
}

// parseVersion1 splits the name of a stream. Which scheme its host had is not
// known: the port that either stands for goes.
func parseVersion1(name string) (Key, Origin) {
	host, rest, _ := strings.Cut(name, "|")
	k := parseKey(rest)
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	return k, Origin{Host: host, AppID: k.Account}
}

func (st oldStream) time() time.Time {
	t, _ := time.Parse(time.RFC3339, string(st.written))
	return t
}

// writeStreams puts streams in the place of those that are there.
func writeStreams(tx *bbolt.Tx, streams []oldStream) error {
	if err := tx.DeleteBucket(bucketStreams); err != nil {
		return err
	}
	all, err := tx.CreateBucket(bucketStreams)
	if err != nil {
		return err
	}
	for _, st := range streams {
		if err := st.write(all); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyVersion, []byte(version))
}

func (st oldStream) write(all *bbolt.Bucket) error {
	b, err := all.CreateBucket([]byte(st.key.String()))
	if err != nil {
		return err
	}
	for name, value := range map[string][]byte{string(keyPosition): st.position, string(keyWritten): st.written} {
		if value == nil {
			continue
		}
		if err := b.Put([]byte(name), value); err != nil {
			return err
		}
	}
	if err := putJSON(b, keyOrigin, st.origin); err != nil {
		return err
	}
	if st.ids == nil {
		return nil
	}
	ids, err := b.CreateBucket(keyIDs)
	if err != nil {
		return err
	}
	for _, id := range st.ids {
		if err := ids.Put(id, nil); err != nil {
			return err
		}
	}
	return nil
}

// copyTo copies the open file, whose lock is held, to a path beside it. The copy
// is on the disk when it returns, and never there in part. bbolt changes nothing
// in the file between transactions.
func copyTo(file *os.File, to string, openFile openFunc) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	temporary := to + ".tmp"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // one that a crash has left
	}
	f, err := openFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.NewSectionReader(file, 0, info.Size()))
	if err == nil && n != info.Size() {
		err = fmt.Errorf("%d of %d bytes came", n, info.Size())
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(temporary, to)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// syncFolder has the disk know of a new name. Some file systems can't.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
