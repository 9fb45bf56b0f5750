package record

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("oh") }

// packed is a file that is unpacked in a goroutine.
func packed(r io.Reader) *File {
	return &File{Name: "receipt_1.log", Reader: r, Packed: func() io.Reader { return nil }}
}

// TestAReaderThatPanics is a damage of its file, and of no other.
func TestAReaderThatPanics(t *testing.T) {
	var r Reader
	for range 2 * aheadBlocks {
		_, err := r.Open(packed(panicking{}), origin(), true).Next(nil)
		var damage *Damage
		if !errors.As(err, &damage) || !strings.Contains(damage.Reason, "a bug in this plugin") {
			t.Fatalf("got %v", err)
		}
		if _, err := r.Open(packed(strings.NewReader(`[{"a":1}]`)), origin(), true).Next(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClose leaves a file in the middle, and opens the next.
func TestClose(t *testing.T) {
	var r Reader
	long := strings.Repeat(`{"a":1}`, aheadBlocks*aheadSize)
	for range 3 {
		d := r.Open(packed(strings.NewReader(long)), origin(), true)
		if _, err := d.Next(nil); err != nil {
			t.Fatal(err)
		}
		r.Close()
		r.Close()
		if _, err := r.ahead.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("reading on after Close: %v", err)
		}
	}
	if len(r.ahead.spare) != aheadBlocks {
		t.Errorf("%d of %d blocks are left", len(r.ahead.spare), aheadBlocks)
	}
}

// TestInline reads the same without reading ahead, and holds no blocks.
func TestInline(t *testing.T) {
	var r Reader
	for _, inline := range []bool{false, true, false, true} {
		r.Inline = inline
		_, err := r.Open(packed(panicking{}), origin(), true).Next(nil)
		var damage *Damage
		if !errors.As(err, &damage) || !strings.Contains(damage.Reason, "a bug in this plugin") {
			t.Fatalf("got %v", err)
		}
		if _, err := r.Open(packed(strings.NewReader(`[{"a":1}]`)), origin(), true).Next(nil); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if want := aheadBlocks; inline == (len(r.ahead.spare) == want) {
			t.Errorf("inline %t: %d blocks", inline, len(r.ahead.spare))
		}
	}
}
