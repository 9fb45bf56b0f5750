package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// oldLog is a stream for a file of version 1.
type oldLog struct {
	name     string // host, application id and stream
	position position
	ids      []ID
	written  time.Time
}

// writeVersion1 makes a file as the version before this layout did, and returns
// its bytes.
func writeVersion1(t *testing.T, path string, logs ...oldLog) []byte {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	update := func(fn func(tx *bbolt.Tx) error) {
		t.Helper()
		if err := db.Update(fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("mimecast"))
		if err == nil {
			err = meta.Put([]byte("version"), []byte("1"))
		}
		if err == nil {
			_, err = tx.CreateBucketIfNotExists([]byte("streams"))
		}
		return err
	})
	for _, log := range logs {
		update(func(tx *bbolt.Tx) error {
			b, err := tx.Bucket([]byte("streams")).CreateBucketIfNotExists([]byte(log.name))
			if err != nil {
				return err
			}
			raw, err := json.Marshal(log.position)
			if err == nil {
				err = b.Put([]byte("written"), []byte(log.written.UTC().Format(time.RFC3339)))
			}
			if err == nil {
				err = b.Put([]byte("position"), raw)
			}
			if err != nil || log.ids == nil {
				return err
			}
			ids, err := b.CreateBucketIfNotExists([]byte("ids"))
			if err != nil {
				return err
			}
			for _, id := range log.ids {
				if err := ids.Put(encodeID(id), nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	update(func(*bbolt.Tx) error { return nil }) // as at each opening
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return mustRead(t, path)
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// names returns what is in a file's folder.
func names(t *testing.T, path string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func someIDs(n int) (ids []ID) {
	for i := range n {
		ids = append(ids, ID{Unix: int64(i), Hash: [16]byte{byte(i), byte(i >> 8)}})
	}
	return ids
}

func TestAFileOfVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	ids := someIDs(3000) // several pages
	was := writeVersion1(t, path,
		oldLog{"eu-api.mimecast.com:443|app|siem", position{"one"}, nil, noon},
		oldLog{"eu-api.mimecast.com|app|impersonation", position{"two"}, ids, noon.Add(time.Hour)},
		oldLog{"127.0.0.1:80|a|b|siem", position{"three"}, nil, noon},
		oldLog{"[::1]:8443|app2|siem", position{"four"}, nil, noon},
	)
	for _, leftover := range []string{path + ".v1", path + ".v1.tmp"} { // of an earlier try
		if err := os.WriteFile(leftover, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, path)
	if got := s.Migrated(); got != path+".v1" {
		t.Errorf("copied to %q", got)
	}
	for range 2 {
		got, err := s.Streams()
		if err != nil {
			t.Fatal(err)
		}
		want := []Stream{
			{Key: Key{"app2", "siem"}, Position: []byte(`{"Token":"four"}`), Origin: Origin{Host: "[::1]:8443", AppID: "app2"}, Written: noon},
			{Key: Key{"app", "impersonation"}, Position: []byte(`{"Token":"two"}`), Origin: Origin{Host: "eu-api.mimecast.com", AppID: "app"}, IDs: 3000, Written: noon.Add(time.Hour)},
			{Key: Key{"app", "siem"}, Position: []byte(`{"Token":"one"}`), Origin: Origin{Host: "eu-api.mimecast.com", AppID: "app"}, Written: noon},
			{Key: Key{"a|b", "siem"}, Position: []byte(`{"Token":"three"}`), Origin: Origin{Host: "127.0.0.1", AppID: "a|b"}, Written: noon},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if _, _, got := state(t, s, Key{"app", "impersonation"}); !slices.Equal(got, ids) {
			t.Errorf("%d ids", len(got))
		}
		if got := s.Migrated(); got != "" {
			t.Errorf("it is taken over again, with a copy in %s", got)
		}
		if !bytes.Equal(mustRead(t, path+".v1"), was) {
			t.Error("the copy differs")
		}
		if info, err := os.Stat(path + ".v1"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy: %v, %v", info.Mode(), err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, path)
	}
	if got := names(t, path); len(got) != 2 {
		t.Errorf("in its folder: %v", got)
	}
}

func TestStreamsThatBecomeOneLog(t *testing.T) {
	for _, last := range []string{"h", "h:443", "i"} {
		path := filepath.Join(t.TempDir(), "x.db")
		var logs []oldLog
		for _, host := range []string{"h", "h:443", "i"} {
			written := noon
			if host == last {
				written = noon.Add(time.Second)
			}
			logs = append(logs, oldLog{host + "|app|siem", position{host}, []ID{id(1, host[0]), id(2, byte(len(host)))}, written})
		}
		was := writeVersion1(t, path, logs...)
		s := mustOpen(t, path)
		p, _, ids := state(t, s, keyOf("siem"))
		if p.Token != last || !slices.Equal(ids, []ID{id(1, last[0]), id(2, byte(len(last)))}) {
			t.Errorf("%s was written last: got %v, ids %v", last, p, ids)
		}
		if streams, err := s.Streams(); err != nil || len(streams) != 1 {
			t.Errorf("%v, %v", streams, err)
		}
		if !bytes.Equal(mustRead(t, path+".v1"), was) {
			t.Error("the copy differs")
		}
	}
}

// TestACopyThatCanNotBeMade leaves the file as it is, and is made once it can.
func TestACopyThatCanNotBeMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	was := writeVersion1(t, path, oldLog{"h|app|siem", position{"one"}, someIDs(2000), noon})
	refused := func(s *Store, want ...string) {
		t.Helper()
		for range 2 {
			says(t, s.start(), append(want, path, "its copy "+path+".v1 can't be made", "nothing has been changed"), costly)
		}
		if !bytes.Equal(mustRead(t, path), was) {
			t.Error("the file has changed")
		}
		if got := names(t, path); slices.Contains(got, "x.db.v1.tmp") {
			t.Errorf("left behind: %v", got)
		}
	}
	s := newStore(path)
	for _, c := range []struct {
		errno syscall.Errno
		want  string
	}{
		{syscall.ENOSPC, "no space left on device; make room"},
		{syscall.EACCES, fmt.Sprintf("let user %d write to its folder", os.Getuid())},
		{syscall.EROFS, "make its file system writable"},
		{syscall.EIO, "check the disk"},
		{syscall.EMFILE, "see to it that a file of this name can be made"},
	} {
		s.openFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
			if strings.HasSuffix(path, ".tmp") {
				return nil, &os.PathError{Op: "open", Path: path, Err: c.errno}
			}
			return os.OpenFile(path, flag, mode)
		}
		refused(s, c.want)
	}
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		defer full.Close()
		s.openFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
			if strings.HasSuffix(path, ".tmp") {
				path, flag = "/dev/full", os.O_WRONLY
			}
			return os.OpenFile(path, flag, mode)
		}
		refused(s, "no space left on device", "make room on its file system")
	}
	s.openFile = os.OpenFile
	if err := os.MkdirAll(path+".v1/x", 0o700); err != nil {
		t.Fatal(err)
	}
	refused(s, "see to it that a file of this name can be made")
	if err := os.RemoveAll(path + ".v1"); err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if p, found, ids := state(t, s, keyOf("siem")); !found || p.Token != "one" || len(ids) != 2000 || s.Migrated() == "" {
		t.Errorf("then %v, %v, %d ids", p, found, len(ids))
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// TestATakeOverThatFails has the disk of the file itself fail, behind the copy.
func TestATakeOverThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	was := writeVersion1(t, path, oldLog{"h|app|siem", position{"one"}, someIDs(2000), noon})
	s := newStore(path)
	// A file that can't be written any more once it is copied, whatever the user.
	s.openFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		if name == path {
			flag = os.O_RDONLY
		}
		return os.OpenFile(name, flag, mode)
	}
	for range 2 {
		if err := s.start(); err == nil {
			t.Fatal("it is taken over")
		}
		if !bytes.Equal(mustRead(t, path), was) || !bytes.Equal(mustRead(t, path+".v1"), was) {
			t.Fatal("the file or its copy has changed")
		}
		if s.Migrated() != "" {
			t.Error("it is said to be taken over")
		}
	}
	s.openFile = os.OpenFile
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if p, found, ids := state(t, s, keyOf("siem")); !found || p.Token != "one" || len(ids) != 2000 {
		t.Errorf("then %v, %v, %d ids", p, found, len(ids))
	}
	_ = s.close()
}

// TestADamagedFileOfVersion1 has pages that are zero. It is refused and left
// alone, and so is the copy of an earlier try, or it is taken over whole.
func TestADamagedFileOfVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	ids := someIDs(1000)
	well := writeVersion1(t, path, oldLog{"h|app|siem", position{"one"}, nil, noon}, oldLog{"h|app|impersonation", position{"two"}, ids, noon})
	refused, size := 0, os.Getpagesize()
	for from := 0; from < len(well); from += size {
		ill := slices.Clone(well)
		clear(ill[from:min(from+size, len(ill))])
		if slices.Equal(ill, well) {
			continue
		}
		for name, content := range map[string][]byte{path: ill, path + ".v1": well} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := open(path)
		if err != nil {
			refused++
			says(t, err, []string{path, "move it away"}, []string{"earlier version"})
			if !bytes.Equal(mustRead(t, path), ill) || !bytes.Equal(mustRead(t, path+".v1"), well) {
				t.Errorf("page at %d: the file or the copy has changed", from)
			}
			continue
		}
		one, _, _ := state(t, s, keyOf("siem"))
		two, _, got := state(t, s, keyOf("impersonation"))
		if one.Token != "one" || two.Token != "two" || !slices.Equal(got, ids) {
			t.Errorf("page at %d: got %v, %v, %d ids", from, one, two, len(got))
		}
		_ = s.close()
	}
	if refused < 4 {
		t.Errorf("%d pages are refused", refused)
	}
}

func TestOthersDoNotTakeOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	was := writeVersion1(t, path, oldLog{"h|app|siem", position{"one"}, nil, noon})
	_, err := Open(path)
	says(t, err, []string{path, "was written by an earlier version of the plugin", "takes it over at its next start"}, costly)
	if !bytes.Equal(mustRead(t, path), was) {
		t.Error("the file has changed")
	}
	if got := names(t, path); len(got) != 1 {
		t.Errorf("in its folder: %v", got)
	}
	s := mustOpen(t, path)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
