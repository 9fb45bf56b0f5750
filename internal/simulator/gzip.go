package simulator

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"slices"
)

// longLine is how long the line of [FaultLongLine] is, in bytes.
const longLine = 1_000_000

// packing names the body behind a link: equal packings have equal bytes.
type packing struct {
	object
	fault Fault
	salt  uint32 // tells passing faults apart, which never spoil two answers alike
}

// gzipper packs event files, and keeps the last bodies for clients that ask again. Safe
// for concurrent use; the bodies it returns are shared and must not be changed.
type gzipper struct {
	seed     uint64
	bombSize int64
	recent   cache[packing]
}

// body returns the body p names, of file f.
func (z *gzipper) body(p packing, f *eventFile) ([]byte, error) {
	if body, ok := z.recent.get(p); ok {
		return body, nil
	}
	body, err := z.pack(p, f)
	if err != nil {
		return nil, fmt.Errorf("simulator: packing file %d: %w", f.number, err)
	}
	z.recent.put(p, body)
	return body, nil
}

func (z *gzipper) pack(p packing, f *eventFile) ([]byte, error) {
	if p.fault == FaultNotAZip {
		noise := newDice(z.seed, streamNoise, uint64(f.number), uint64(p.salt))
		return noise.bytes(64 + 24*f.records), nil
	}
	var lines []byte
	if p.empty == 0 {
		lines = z.appendLines(nil, p, f)
	}
	var out bytes.Buffer
	members := [][]byte{lines}
	if p.fault == FaultGzipMembers {
		half := len(lines) / 2
		members = [][]byte{lines[:half], nil, lines[half:]}
	}
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if p.fault == FaultZipBomb {
		err = z.bomb(w)
	}
	for i, content := range members {
		if i > 0 {
			w.Reset(&out)
		}
		_, failed := w.Write(content)
		err = errors.Join(err, failed, w.Close())
	}
	body := out.Bytes()
	switch p.fault {
	case FaultZipCut:
		body = body[:len(body)*2/3-int(p.salt)%(len(body)/4)]
	case FaultZipBadChecksum:
		crc := body[len(body)-8:]
		crc[0], crc[1] = crc[0]^0xff, crc[1]^byte(p.salt)
	}
	return body, err
}

// bomb writes a line of white space.
func (z *gzipper) bomb(w *gzip.Writer) error {
	blank := bytes.Repeat([]byte{' '}, 1<<20)
	for left := z.bombSize; left > 0; left -= int64(len(blank)) {
		if _, err := w.Write(blank[:min(left, int64(len(blank)))]); err != nil {
			return err
		}
	}
	_, err := w.Write([]byte{'\n'})
	return err
}

// lineBytes is about what a record takes in a file.
const lineBytes = 640

// appendLines appends the file's lines, wrong as p.fault says.
func (z *gzipper) appendLines(dst []byte, p packing, f *eventFile) []byte {
	dst = slices.Grow(dst, len(f.given)+lineBytes*f.records)
	middle := f.middle()
	if f.given != nil {
		end := bytes.IndexByte(f.given, '\n') + 1
		dst = append(dst, f.given[:end]...)
		dst = append(z.appendOdd(dst, p), f.given[end:]...)
		middle = -1
	}
	var fields []member
	var how spelling
	var subtype string
	for i := range f.records {
		if i == middle {
			dst = z.appendOdd(dst, p)
		}
		fields, how, subtype = f.record(z.seed, fields, i)
		if p.subtype != "" && p.subtype != subtype {
			continue
		}
		switch {
		case i == middle && f.fault == FaultBadUTF8:
			spelt := appendJSON(nil, objectOf(fields...), spelling{})
			dst = append(dst, bytes.ReplaceAll(spelt, []byte("\ufffd"), []byte{0xe9})...)
		case i == middle && p.fault == FaultLongLine:
			dst = z.appendLong(dst, objectOf(fields...))
		default:
			dst = appendJSON(dst, objectOf(fields...), how)
		}
		dst = append(dst, '\n')
	}
	if p.fault == FaultNoLastNewline {
		dst = bytes.TrimSuffix(dst, []byte{'\n'})
	}
	return dst
}

// appendOdd appends the line too many that the fault has, if any.
func (z *gzipper) appendOdd(dst []byte, p packing) []byte {
	switch p.fault {
	case FaultBlankLine:
		dst = append(dst, '\n')
	case FaultLineBroken:
		dst = fmt.Appendf(dst, `{"timestamp":%d,"type":"receipt","subject":"cut`+"\n", p.salt)
	}
	return dst
}

// appendLong appends a record that white space makes a long line. Tabs and blanks
// are mixed by chance, so that it is no bomb.
func (z *gzipper) appendLong(dst []byte, record value) []byte {
	spelt := appendJSON(nil, record, spelling{})
	padding := newDice(z.seed, streamNoise)
	pad := padding.bytes(max(0, longLine-len(spelt)))
	for i, b := range pad {
		pad[i] = " \t"[b&1]
	}
	dst = append(append(dst, '{'), pad...)
	return append(dst, spelt[1:]...)
}
