package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestPeek reads a file that is open and written all the time: what it finds of two
// logs is always of one commit.
func TestPeek(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var files Files
	a, b := Key{"acme", "siem"}, Key{"acme", "audit"}
	claim, err := files.Claim(path, []Key{a, b})
	if err != nil {
		t.Fatal(err)
	}
	store, err := claim.Open()
	if err != nil {
		t.Fatal(err)
	}
	commit := func(n int) error {
		var ids []ID
		for i := range 50 {
			ids = append(ids, ID{Unix: int64(n), Hash: [16]byte{byte(i), byte(n)}})
		}
		return store.Commit([]Change{{Key: a, Position: n}, {Key: b, Position: n, AddIDs: ids, ForgetBefore: int64(n - 20)}})
	}
	if err := commit(0); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := commit(n); err != nil {
				t.Error(err)
				return
			}
		}
	})
	seen := map[string]bool{}
	for n := 0; (n < 200 || len(seen) < 2) && !t.Failed(); n++ { // a commit may take longer than many looks
		streams, err := Peek(path)
		switch {
		case err != nil && strings.Contains(err.Error(), errBusy.Error()):
		case err != nil || len(streams) != 2:
			t.Errorf("%d logs, %v", len(streams), err)
		case string(streams[0].Position) != string(streams[1].Position):
			t.Errorf("positions of two commits: %s, %s", streams[0].Position, streams[1].Position)
		default:
			seen[string(streams[0].Position)] = true
		}
	}
	close(stop)
	writing.Wait()
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestPeekRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "text": strings.Repeat("no database ", 1000)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Peek(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); string(after) != content || err != nil {
			t.Errorf("%s: changed, %v", name, err)
		}
	}
	old := filepath.Join(dir, "old")
	writeVersion1(t, old)
	if _, err := Peek(old); !errors.Is(err, ErrOld) {
		t.Errorf("a file of an earlier version: %v", err)
	}
	if _, err := Peek(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Error(err)
	}
}
