package checkpoint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

type position struct{ Token string }

func keyOf(log string) Key { return Key{Account: "app", Log: log} }

// open makes or opens a file as the plugin does.
func open(path string) (*Store, error) {
	s := newStore(path)
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

func id(unix int64, name byte) ID { return ID{Unix: unix, Hash: [16]byte{name}} }

func mustOpen(t *testing.T, path string) *Store {
	t.Helper()
	s, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

// state returns what is stored of a stream.
func state(t *testing.T, s *Store, k Key) (p position, found bool, ids []ID) {
	t.Helper()
	found, err := s.Load(k, &p)
	if err == nil {
		err = s.IDs(k, func(i ID) { ids = append(ids, i) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return p, found, ids
}

func TestPositionsLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	siem, ttp := keyOf("siem"), keyOf("impersonation")
	if _, found, ids := state(t, s, siem); found || ids != nil {
		t.Error("a new file has a position")
	}
	err := s.Commit([]Change{
		{Key: siem, Position: position{"one"}},
		{Key: ttp, Position: position{"p"}, AddIDs: []ID{id(30, 'c'), id(10, 'a'), id(20, 'b'), id(-5, 'z')}},
		{Key: siem, Position: position{"two"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]Change{{Key: ttp, AddIDs: []ID{id(40, 'd')}, ForgetBefore: 20}}); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	if p, found, ids := state(t, s, siem); !found || p.Token != "two" || ids != nil {
		t.Errorf("siem: %v, %v, %v", p, found, ids)
	}
	p, found, ids := state(t, s, ttp)
	if diff := cmp.Diff([]ID{id(20, 'b'), id(30, 'c'), id(40, 'd')}, ids); !found || p.Token != "p" || diff != "" {
		t.Errorf("impersonation: %v, %v, ids -want +got:\n%s", p, found, diff)
	}
	if _, found, _ := state(t, s, Key{Account: "other", Log: "siem"}); found {
		t.Error("another account has the position")
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestStreamsAndForget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if _, err := Open(path); err == nil {
		t.Error("a file that is not there is made")
	}
	s := mustOpen(t, path)
	odd := Key{Account: "a|b", Log: "impersonation"}
	origin := Origin{Host: "h:8443", AppID: "id", Accounts: []string{"C1", "C2"}}
	if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"t"}}, {Key: odd, Origin: &origin, AddIDs: []ID{id(1, 'a'), id(2, 'b')}}}); err != nil {
		t.Fatal(err)
	}
	streams, err := s.Streams()
	if err != nil || len(streams) != 2 {
		t.Fatalf("%v, %v", streams, err)
	}
	for i := range streams {
		if time.Since(streams[i].Written) > time.Minute {
			t.Errorf("written %v", streams[i].Written)
		}
		streams[i].Written = time.Time{}
	}
	want := []Stream{{Key: keyOf("siem"), Position: []byte(`{"Token":"t"}`)}, {Key: odd, Origin: origin, IDs: 2}}
	slices.SortFunc(want, func(a, b Stream) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	if diff := cmp.Diff(want, streams); diff != "" {
		t.Error(diff)
	}
	for _, had := range []bool{true, false} {
		if got, err := s.Forget(odd); got != had || err != nil {
			t.Errorf("got %v, %v, want %v", got, err, had)
		}
	}
	if streams, err := s.Streams(); err != nil || len(streams) != 1 {
		t.Errorf("%v, %v", streams, err)
	}
}

func TestRename(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := mustOpen(t, path)
	ids := someIDs(3000) // several pages
	origin := Origin{Host: "h", AppID: "id", Accounts: []string{"C1"}}
	other := Key{"a|b", "siem"}
	err := s.Commit([]Change{
		{Key: keyOf("siem"), Position: position{"one"}, Origin: &origin},
		{Key: keyOf("impersonation"), Position: position{"two"}, AddIDs: ids},
		{Key: Key{"app2", "siem"}, Position: position{"three"}},
		{Key: other, Position: position{"four"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(from, to string, want int, wantErr string) {
		t.Helper()
		before, err := s.Streams()
		if err != nil {
			t.Fatal(err)
		}
		logs, err := s.Rename(from, to)
		if logs != want || (err == nil) != (wantErr == "") || (err != nil && !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%s to %s: got %d, %v, want %d, %q", from, to, logs, err, want, wantErr)
		}
		if after, err := s.Streams(); err != nil || (want == 0) != cmp.Equal(before, after) {
			t.Errorf("%s to %s: changed %v, %v", from, to, !cmp.Equal(before, after), err)
		}
	}
	check("app", "app2", 0, "it has a log of that name: app2|siem; forget it first")
	check("app", "app", 0, "it has a log of that name")
	check("ap", "new", 0, "")
	check("a", "new", 0, "")
	check("app", "x=y z", 2, "")
	check("a|b", "b", 1, "")
	check("app2", "app", 1, "")
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	for k, token := range map[Key]string{{"x=y z", "siem"}: "one", {"x=y z", "impersonation"}: "two", {"app", "siem"}: "three", {"b", "siem"}: "four"} {
		p, _, got := state(t, s, k)
		if p.Token != token || (k.Log == "impersonation") != slices.Equal(got, ids) {
			t.Errorf("%s: %v, %d ids", k, p, len(got))
		}
	}
	if o, err := s.Origin(Key{"x=y z", "siem"}); err != nil || !cmp.Equal(*o, origin) {
		t.Errorf("%v, %v", o, err)
	}
	if streams, err := s.Streams(); err != nil || len(streams) != 4 {
		t.Errorf("%v, %v", streams, err)
	}
}

func TestACommitIsAllOrNothing(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "x.db"))
	err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"one"}}, {Key: keyOf("x"), Position: func() {}}})
	if err == nil {
		t.Fatal("a position that is no JSON is taken")
	}
	if _, found, _ := state(t, s, keyOf("siem")); found {
		t.Error("half of a commit is there")
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	check := func(name string, fill func(path string) error, want string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := fill(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		s, err := open(path)
		if err == nil {
			_ = s.close()
			t.Errorf("%s is opened", name)
			return
		}
		after, _ := os.ReadFile(path)
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || string(before) != string(after) {
			t.Errorf("%s: got %v, want %q; changed: %v", name, err, want, string(before) != string(after))
		}
	}
	text := func(content string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(content), 0o600) }
	}
	bolt := func(fill func(*bbolt.Tx) error) func(string) error {
		return func(path string) error {
			db, err := bbolt.Open(path, 0o600, nil)
			if err == nil {
				err = db.Update(fill)
			}
			if err == nil {
				err = db.Close()
			}
			return err
		}
	}
	check("text", text(strings.Repeat("not a database\n", 1000)), "move it away")
	check("short", text("x"), "move it away")
	check("foreign", bolt(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("other"))
		return err
	}), "another program")
	check("newer", bolt(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		return b.Put(keyVersion, []byte("3"))
	}), `version "3", this plugin knows version 2; install the version of the plugin that wrote it`)
	check("folder", func(path string) error { return os.Mkdir(path, 0o700) }, "can't be opened")
	if _, err := open(filepath.Join(dir, "no", "such", "folder", "x.db")); err == nil || !strings.Contains(err.Error(), "its folder does not exist") {
		t.Errorf("no folder: %v", err)
	}
}

// TestTruncatedFile cuts a file at every page: it is refused, or read whole,
// and never ends the process.
func TestTruncatedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	s := mustOpen(t, path)
	var ids []ID
	for i := range 3000 {
		ids = append(ids, ID{Unix: int64(i), Hash: [16]byte{byte(i), byte(i >> 8)}})
	}
	if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"t"}, AddIDs: ids}}); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 2048 {
		cut := filepath.Join(dir, "cut.db")
		if err := os.WriteFile(cut, whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := open(cut)
		if err != nil {
			continue
		}
		var p position
		n := 0
		found, loadErr := s.Load(keyOf("siem"), &p)
		idsErr := s.IDs(keyOf("siem"), func(ID) { n++ })
		if at > 0 && loadErr == nil && idsErr == nil && (!found || n != len(ids)) {
			t.Errorf("cut at %d of %d: found %v, %d ids, no error", at, len(whole), found, n)
		}
		_ = s.close()
	}
}

func TestAFileThatIsTruncatedWhileItIsOpen(t *testing.T) {
	for _, size := range []int64{0, 4096, 8192, 12288} {
		path := filepath.Join(t.TempDir(), "x.db")
		s := mustOpen(t, path)
		if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"one"}}}); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.Commit([]Change{{Key: keyOf("siem"), Position: position{"two"}}}); err == nil {
				t.Errorf("%d: a commit goes on", size)
			}
		}
		_ = s.close()
		if size > 0 {
			if _, err := open(path); err == nil {
				t.Errorf("%d: it is opened again", size)
			}
		}
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	mustOpen(t, path)
	// Another open file is what another process has.
	if _, err := open(path); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
}

func TestClaims(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var files Files
	claim := func(keys ...Key) *Claim {
		t.Helper()
		c, err := files.Claim(path, keys)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := claim(keyOf("siem")), claim(keyOf("impersonation"))
	if _, err := files.Claim(path, []Key{keyOf("x"), keyOf("siem")}); err == nil || !strings.Contains(err.Error(), "another block collects the siem logs of account app already") {
		t.Errorf("a stream is claimed twice: %v", err)
	}
	if c, err := files.Claim(path+"2", []Key{keyOf("siem")}); err != nil {
		t.Errorf("in another file: %v", err)
	} else if c.Elsewhere() != "siem" {
		t.Errorf("that it is claimed elsewhere is not known: %q", c.Elsewhere())
	} else if err := c.Release(); err != nil {
		t.Error(err)
	}
	if !a.Claimed(keyOf("impersonation")) || a.Claimed(keyOf("x")) {
		t.Error("what another instance has claimed is not known")
	}
	one, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Open()
	if err != nil || one != two {
		t.Errorf("the file is not shared: %v", err)
	}
	if _, err := a.Open(); err != nil {
		t.Errorf("opened again: %v", err)
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
	if err := two.Commit([]Change{{Key: keyOf("impersonation"), Position: position{"p"}}}); err != nil {
		t.Errorf("after the other's release: %v", err)
	}
	if b.Claimed(keyOf("siem")) {
		t.Error("what was released is claimed")
	}
	if err := b.Release(); err != nil {
		t.Error(err)
	}
	if len(files.open) != 0 {
		t.Errorf("left behind: %v", files.open)
	}
	again := claim(keyOf("siem"))
	if _, err := again.Open(); err != nil {
		t.Errorf("the lock is still held: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}

func TestMergedChanges(t *testing.T) {
	key := Key{Account: "acme", Log: "siem"}
	one, two := &Origin{AppID: "1"}, &Origin{AppID: "2"}
	changes := Merge(nil, Change{Key: key, Position: 1, Origin: one})
	changes = Merge(changes, Change{Key: key, Origin: two})
	changes = Merge(changes, Change{Key: key, Position: 2})
	if len(changes) != 1 || changes[0].Origin != two || changes[0].Position != 2 {
		t.Errorf("got %+v", changes)
	}
}

// TestMergedForgetting keeps what a log that went back has delivered since.
func TestMergedForgetting(t *testing.T) {
	key := Key{Account: "acme", Log: "impersonation"}
	s := mustOpen(t, filepath.Join(t.TempDir(), "x.db"))
	commit := func(changes ...Change) {
		var merged []Change
		for _, c := range changes {
			c.Key = key
			merged = Merge(merged, c)
		}
		if err := s.Commit(merged); err != nil {
			t.Fatal(err)
		}
	}
	commit(Change{AddIDs: []ID{{Unix: 10}}})
	commit(Change{ForgetBefore: 100}, Change{AddIDs: []ID{{Unix: 50}}})
	var got []int64
	if err := s.IDs(key, func(id ID) { got = append(got, id.Unix) }); err != nil || len(got) != 1 || got[0] != 50 {
		t.Errorf("got %v, %v", got, err)
	}
}
