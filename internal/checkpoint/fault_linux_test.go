package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// swap puts another file in the place of the open one, which stays mapped.
func swap(t *testing.T, s *Store, with *os.File) {
	t.Helper()
	if err := syscall.Dup3(int(with.Fd()), int(s.file.Fd()), syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
}

func openDevice(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Skipf("NOT TESTED, this machine can't provoke the fault: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestCommitsThatFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	commit := func(token string) error {
		return s.Commit([]Change{{Key: keyOf("siem"), Position: position{token}}})
	}
	holds := func(token string) {
		t.Helper()
		if p, _, _ := state(t, s, keyOf("siem")); p.Token != token {
			t.Errorf("got %v, want %s", p, token)
		}
	}
	for range 10 { // until it has free pages
		if err := commit("one"); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := syscall.Dup(int(s.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	good := os.NewFile(uintptr(fd), path)
	swap(t, s, openDevice(t, "/dev/full"))
	for range 2 {
		says(t, commit("two"), []string{path, "can't be written", "ENOSPC: ", "make room on its file system; the position stays in the file"}, costly)
		holds("one")
	}
	swap(t, s, good)
	good.Close() // or it would keep the lock
	if err := commit("two"); err != nil {
		t.Errorf("with room: %v", err)
	}
	holds("two")

	noMemory := openDevice(t, "/proc/self/mem")
	// What is written to no memory is EIO. The file at the path is well.
	swap(t, s, noMemory)
	if err := commit("three"); err != nil {
		t.Errorf("opened again: %v", err)
	}
	holds("three")
	if err := s.close(); err != nil {
		t.Error(err)
	}

	// And now it is not.
	s = mustOpen(t, path)
	swap(t, s, noMemory)
	s.openFile = func(string, int, os.FileMode) (*os.File, error) { return nil, syscall.ESTALE }
	for range 2 {
		says(t, commit("four"), []string{path, "can't be written", "ESTALE: ", "check it; the position stays in the file"}, costly)
	}
	s.openFile = os.OpenFile
	holds("three")
	if err := commit("four"); err != nil {
		t.Error(err)
	}
	holds("four")
}

// TestMappingsAreGivenBack opens a damaged file again and again.
func TestMappingsAreGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"one"}}}); err != nil {
		t.Fatal(err)
	}
	size := s.db.Info().PageSize
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[2*size:]) // all but what describes the file, and the free list
	if m, ok := readMeta(strings.NewReader(string(raw))); ok && m.freelist >= 2 {
		list, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(raw[int(m.freelist)*size:][:size], list[int(m.freelist)*size:])
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		_, err := open(path)
		says(t, err, []string{"its content is damaged", "move it away to start anew"}, nil)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skipf("NOT TESTED, this machine can't provoke the fault: %v", err)
	}
	if n := strings.Count(string(maps), path); n > 0 {
		t.Errorf("it is mapped %d times", n)
	}
}
