package checkpoint

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"os"

	bolterrors "go.etcd.io/bbolt/errors"
)

// pageHeader is the size of a page's header: its number of eight bytes, flags
// and a count of two, and the number of pages that belong to it of four.
const pageHeader = 16

// check refuses a file that bbolt would panic at, now or in a year: it maps the
// file into memory and trusts it. It also takes a page that can't be read for one
// that is damaged, so all of them are read here.
func check(f *os.File, mayBeEmpty bool) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() == 0 && mayBeEmpty:
		return nil
	case info.Size() == 0:
		return errTruncated
	}
	if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, info.Size())); err != nil {
		return err
	}
	m, ok := readMeta(f)
	switch {
	case !ok && info.Size() < 2*int64(os.Getpagesize()):
		return bolterrors.ErrInvalid
	case !ok:
		return nil // bbolt looks in more places
	case m.pages*m.pageSize > info.Size():
		return errTruncated
	}
	return m.checkFreelist(f)
}

// meta is what a file says of itself.
type meta struct {
	pageSize, pages, freelist, tx int64
}

// readMeta reads the latest of the first two pages; false when none is sound.
//
// Both describe the file, behind their headers: magic, version, page size and
// flags of four bytes each, root page and its sequence, free list page, number of
// pages, transaction and checksum of eight.
func readMeta(f io.ReaderAt) (m meta, ok bool) {
	const magic, metaSize = 0xED0CDAED, 64
	var latest int64
	for page := range int64(2) {
		// Pages have the size that the first says, or the usual one.
		var size int64 = 4096
		raw := make([]byte, pageHeader+metaSize)
		if page == 1 {
			if _, err := f.ReadAt(raw, 0); err == nil && binary.LittleEndian.Uint32(raw[pageHeader:]) == magic {
				size = int64(binary.LittleEndian.Uint32(raw[pageHeader+8:]))
			}
		}
		if _, err := f.ReadAt(raw, page*size); err != nil {
			continue
		}
		raw = raw[pageHeader:]
		sum := fnv.New64a()
		sum.Write(raw[:56])
		if binary.LittleEndian.Uint32(raw) != magic || binary.LittleEndian.Uint64(raw[56:]) != sum.Sum64() {
			continue
		}
		if tx := int64(binary.LittleEndian.Uint64(raw[48:])); tx >= latest {
			latest, ok = tx, true
			m = meta{
				pageSize: int64(binary.LittleEndian.Uint32(raw[8:])),
				freelist: int64(binary.LittleEndian.Uint64(raw[32:])),
				pages:    int64(binary.LittleEndian.Uint64(raw[40:])),
				tx:       tx,
			}
		}
	}
	return m, ok
}

// checkFreelist refuses a list of free pages that bbolt would panic at while it
// opens the file, and then keep it mapped and locked.
func (m meta) checkFreelist(f io.ReaderAt) error {
	const flag, many, none = 0x10, 0xFFFF, -1
	if m.freelist == none {
		return nil // bbolt makes one
	}
	if m.freelist < 2 || m.freelist >= m.pages {
		return errFreelist
	}
	var raw [pageHeader + 8]byte
	if _, err := f.ReadAt(raw[:], m.freelist*m.pageSize); err != nil {
		return err
	}
	more := int64(binary.LittleEndian.Uint32(raw[12:]))
	ids := uint64(binary.LittleEndian.Uint16(raw[10:]))
	if ids == many {
		ids = binary.LittleEndian.Uint64(raw[pageHeader:]) // which stands before them
	}
	if binary.LittleEndian.Uint16(raw[8:]) != flag || m.freelist+more >= m.pages ||
		ids > uint64((more+1)*m.pageSize-pageHeader)/8 {
		return errFreelist
	}
	return nil
}
