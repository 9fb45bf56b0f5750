package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// costly is advice that costs the position.
var costly = []string{"move it away", "start anew", "can't be used as a checkpoint file", "damaged"}

func says(t *testing.T, err error, want, not []string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", want)
		return
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
	for _, text := range not {
		if strings.Contains(err.Error(), text) {
			t.Errorf("got %v, not expected: %q", err, text)
		}
	}
}

func TestErrnos(t *testing.T) {
	const local, disk = "put db on a local file system", "the disk or the network file system fails: check it; the position stays in the file"
	tests := []struct {
		errno syscall.Errno
		want  []string
	}{
		{syscall.ENOLCK, []string{"ENOLCK: ", "no locks available", local}},
		{syscall.EOPNOTSUPP, []string{"EOPNOTSUPP: ", "operation not supported", local}},
		{syscall.ENOSYS, []string{"ENOSYS: ", "function not implemented", local}},
		{syscall.EINVAL, []string{"EINVAL: ", "invalid argument", local}},
		{syscall.ENODEV, []string{"ENODEV: ", "no such device", local}},
		{syscall.EACCES, []string{"EACCES: ", "permission denied", "another machine may have it locked", local}},
		{syscall.EIO, []string{"EIO: ", "input/output error", disk}},
		{syscall.ESTALE, []string{"ESTALE: ", "stale", disk}},
		{syscall.ENOTCONN, []string{"ENOTCONN: ", disk}},
		{syscall.ENOSPC, []string{"ENOSPC: ", "no space left on device", "make room"}},
		{syscall.EDQUOT, []string{"EDQUOT: ", "quota exceeded", "make room"}},
		{syscall.EROFS, []string{"EROFS: ", "read-only file system", "make its file system writable"}},
		{syscall.ENOMEM, []string{"ENOMEM: ", "cannot allocate memory"}},
		{syscall.EXDEV, []string{fmt.Sprintf("errno %d: ", int(syscall.EXDEV)), syscall.EXDEV.Error()}},
	}
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"one"}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		// bbolt returns bare what flock and mmap fail with.
		for _, err := range []error{test.errno, &fs.PathError{Op: "lock", Path: path, Err: test.errno}} {
			s := &Store{path: path, openFile: func(string, int, os.FileMode) (*os.File, error) { return nil, err }}
			got := s.ready()
			if !errors.Is(got, test.errno) {
				t.Errorf("%v: got %v", test.errno, got)
			}
			says(t, opening(path, got), append(test.want, path, "can't be opened"), costly)
			says(t, failure(path, "can't be written", err), append(test.want, path, "can't be written"), costly)
			// The next try is a new one.
			s.openFile = os.OpenFile
			var p position
			if found, err := s.Load(keyOf("siem"), &p); !found || err != nil || p.Token != "one" {
				t.Errorf("%v: then %v, %v, %v", test.errno, found, err, p)
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
		}
	}
	denied := &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}
	says(t, opening(path, denied), []string{"can't be opened: user ", "may not read and write it"}, costly)
}

// TestAFileThatCanNotBeRead has what comes of reading neither hidden by bbolt nor
// taken for damage.
func TestAFileThatCanNotBeRead(t *testing.T) {
	s := &Store{path: "x.db", openFile: func(string, int, os.FileMode) (*os.File, error) {
		return os.Open(t.TempDir()) // a folder can be opened and locked, and not read
	}}
	err := s.ready()
	if !errors.Is(err, syscall.EISDIR) {
		t.Fatalf("got %v", err)
	}
	says(t, opening("x.db", err), []string{"EISDIR: ", "can't be opened"}, costly)
}

// TestDamage has pages that are zero. The advice is the same each time, and the
// file can be used as soon as it is well.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	for i := range 3 {
		if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{fmt.Sprint(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	size := s.db.Info().PageSize
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	well, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for from := 0; from < len(well); from += size {
		ill := slices.Clone(well)
		clear(ill[from:min(from+size, len(ill))])
		if slices.Equal(ill, well) {
			continue
		}
		if err := os.WriteFile(path, ill, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := open(path)
		if err == nil { // a page that is not in use, or the older of two
			_ = s.close()
			continue
		}
		damaged++
		for range 3 {
			_, again := open(path)
			says(t, again, []string{"can't be used as a checkpoint file; move it away to start anew", err.Error()}, nil)
		}
		if err := os.WriteFile(path, well, 0o600); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, path)
		if p, found, _ := state(t, s, keyOf("siem")); !found || p.Token != "2" {
			t.Errorf("page at %d: %v, %v", from, p, found)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	if damaged < 2 {
		t.Errorf("%d pages are missed", damaged)
	}
}

// TestAFaultThatPasses takes the pages of an open file away, and gives them back
// before it is opened again.
func TestAFaultThatPasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var files Files
	var stores []*Store
	var claims []*Claim
	for _, stream := range []string{"siem", "impersonation"} {
		c, err := files.Claim(path, []Key{keyOf(stream)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Open()
		if err != nil {
			t.Fatal(err)
		}
		claims, stores = append(claims, c), append(stores, s)
	}
	commit := func(i int, token string) error {
		return stores[i].Commit([]Change{{Key: claims[i].keys[0], Position: position{token}}})
	}
	for i := range stores {
		if err := commit(i, "one"); err != nil {
			t.Fatal(err)
		}
	}
	var well []byte
	opened := 0
	stores[0].openFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
		opened++
		if err := os.WriteFile(path, well, 0o600); err != nil {
			t.Error(err)
		}
		return os.OpenFile(path, flag, mode)
	}
	for name, use := range map[string]func() error{
		"commit": func() error { return commit(0, "one") },
		"load":   func() error { _, err := stores[0].Load(keyOf("siem"), new(position)); return err },
		"ids":    func() error { return stores[0].IDs(keyOf("siem"), func(ID) {}) },
	} {
		for _, pages := range []int{0, 1, 2, 3} {
			var err error
			if well, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, int64(pages*os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
			opened = 0
			err = use()
			switch {
			case name == "commit" && (err != nil || opened != 1):
				t.Errorf("%s, %d pages: %v, opened %d times", name, pages, err, opened)
			case err != nil:
				says(t, err, []string{path, "the disk or the network file system failed or the file is damaged", "the position stays in it"}, costly[:3])
			case name != "commit" && pages == 0:
				t.Errorf("%s: no fault", name)
			}
			if opened == 0 && err == nil { // it did not need what was missing
				if err := os.WriteFile(path, well, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for i, s := range stores {
				if p, found, _ := state(t, s, claims[i].keys[0]); !found || p.Token != "one" {
					t.Errorf("%s, %d pages: %v, %v", name, pages, p, found)
				}
				if err := commit(i, "one"); err != nil {
					t.Errorf("%s, %d pages: then %v", name, pages, err)
				}
			}
		}
	}
	for _, c := range claims {
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	}
	mustOpen(t, path) // it is not locked any more
}

// TestAFaultThatLasts has a file that was cut short while it was open.
func TestAFaultThatLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	if err := os.Truncate(path, int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		says(t, s.Commit([]Change{{Key: keyOf("siem"), Position: position{"one"}}}),
			[]string{path, "can't be written", "shorter than it was written", "move it away and restart"}, nil)
	}
}

// TestAFileThatIsGone must not be made anew while it is in use.
func TestAFileThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"one"}}}); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	_ = s.drop()
	s.mu.Unlock()
	if err := os.Rename(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	change := []Change{{Key: keyOf("siem"), Position: position{"two"}}}
	for range 2 {
		says(t, s.Commit(change), []string{path, "it is gone; put it back"}, nil)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, s.Commit(change), []string{path, "shorter than it was written"}, nil)
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(change); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	says(t, s.Commit(change), []string{"database not open"}, costly)
}

func TestTooManyFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	for n := range maxFaults {
		s.mu.Lock()
		err := s.guard(func() error { panic("x") })
		s.mu.Unlock()
		says(t, err, []string{"damaged (x)"}, nil)
		if _, err := s.Load(keyOf("siem"), new(position)); (err == nil) != (n < maxFaults-1) {
			t.Fatalf("after %d: %v", n, err)
		} else if err != nil {
			says(t, err, []string{"check the disk", "then restart"}, costly)
		}
	}
}
