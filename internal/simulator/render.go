package simulator

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// rendering names the body of one answer: equal renderings have equal bytes.
// salt tells passing faults apart, which never spoil two answers alike.
type rendering struct {
	batch, file int // from this file on, or this file alone
	format      string
	compress    bool
	container   Fault // what is wrong with the archive or its names
	extra       Fault // what the file too many is, that passes
	salt        uint32
}

// renderer makes bodies, and keeps the last ones for clients that ask again. Safe
// for concurrent use; the bodies it returns are shared and must not be changed.
type renderer struct {
	generator generator
	types     []string
	bombSize  int64
	recent    cache[rendering]
}

// body returns the body r names, of batch b.
func (c *renderer) body(r rendering, b *batch) ([]byte, error) {
	if body, ok := c.recent.get(r); ok {
		return body, nil
	}
	files := b.files(c.types)[r.file:]
	if extra, ok := extraFile(r.extra, b, r.salt); ok {
		files = append([]logFile{extra}, files...)
	}
	var body []byte
	var err error
	if r.compress {
		body, err = c.archive(r, b, files)
	} else {
		body = c.generator.appendFile(nil, b, files[0], r.format)
	}
	if err != nil {
		return nil, fmt.Errorf("simulator: rendering batch %d: %w", b.number, err)
	}
	c.recent.put(r, body)
	return body, nil
}

// archive returns the files as a zip, wrong as r.container says.
func (c *renderer) archive(r rendering, b *batch, files []logFile) ([]byte, error) {
	switch r.container {
	case FaultNotAZip:
		noise := newDice(c.generator.seed, streamNoise, uint64(b.number), uint64(r.salt))
		return noise.bytes(64 + 24*b.records), nil
	case FaultZipEmpty:
		files = nil
	}
	p := packer{generator: c.generator, batch: b, format: r.format, salt: r.salt}
	p.zip = zip.NewWriter(&p.out)
	p.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return p.deflate(w) })
	if r.container == FaultZipBomb {
		p.bomb(c.bombSize)
	}
	for i, f := range files {
		switch {
		case r.container == FaultZipBadChecksum && i == 0:
			p.damaged(f)
		case r.container == FaultZipHostileNames:
			p.add(hostileName(f.name, i), f)
		default:
			p.add(f.name, f)
		}
	}
	body, err := p.close()
	if r.container == FaultZipCut {
		body = body[:len(body)*2/3-int(r.salt)%(len(body)/4)]
	}
	return body, err
}

// hostileName returns name as an attempt to write somewhere else; the attempts
// take turns.
func hostileName(name string, turn int) string {
	prefixes := []string{"../../../tmp/", "/etc/", `..\..\`, `C:\`}
	return prefixes[turn%len(prefixes)] + name
}

// packer writes one archive. The first error is kept and told by close.
type packer struct {
	generator generator
	batch     *batch
	format    string
	salt      uint32

	out     bytes.Buffer
	zip     *zip.Writer
	content []byte // of the current entry
	failed  error

	compressor *flate.Writer
}

// deflate returns a compressor into w, the same one for every entry: it is large
// and one entry is written at a time.
func (p *packer) deflate(w io.Writer) (_ *flate.Writer, err error) {
	if p.compressor == nil {
		p.compressor, err = flate.NewWriter(w, flate.BestSpeed)
		return p.compressor, err
	}
	p.compressor.Reset(w)
	return p.compressor, nil
}

// add writes f as the entry name.
func (p *packer) add(name string, f logFile) {
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.batch.at})
	if err != nil {
		p.failed = errors.Join(p.failed, err)
		return
	}
	p.content = p.generator.appendFile(p.content[:0], p.batch, f, p.format)
	_, err = w.Write(p.content)
	p.failed = errors.Join(p.failed, err)
}

// damaged writes f with a checksum that is not its content's.
func (p *packer) damaged(f logFile) {
	p.content = p.generator.appendFile(p.content[:0], p.batch, f, p.format)
	var packed bytes.Buffer
	deflate, err := p.deflate(&packed)
	if err != nil {
		p.failed = errors.Join(p.failed, err)
		return
	}
	_, err = deflate.Write(p.content)
	p.failed = errors.Join(p.failed, err, deflate.Close())
	w, err := p.zip.CreateRaw(&zip.FileHeader{
		Name:               f.name,
		Method:             zip.Deflate,
		Modified:           p.batch.at,
		CRC32:              ^crc32.ChecksumIEEE(p.content) ^ p.salt,
		CompressedSize64:   uint64(packed.Len()),
		UncompressedSize64: uint64(len(p.content)),
	})
	if err != nil {
		p.failed = errors.Join(p.failed, err)
		return
	}
	_, err = w.Write(packed.Bytes())
	p.failed = errors.Join(p.failed, err)
}

// bomb writes a log file of no records that inflates to size bytes and a few.
func (p *packer) bomb(size int64) {
	w, err := p.zip.CreateHeader(&zip.FileHeader{
		Name: fmt.Sprintf("receipt_%s9%d.log", p.batch.stamp(), p.salt), Method: zip.Deflate, Modified: p.batch.at,
	})
	if err != nil {
		p.failed = errors.Join(p.failed, err)
		return
	}
	blank := bytes.Repeat([]byte{' '}, 1<<20)
	_, err = io.WriteString(w, `{"type":"MTA","data":[`)
	for left := size; left > 0 && err == nil; left -= int64(len(blank)) {
		_, err = w.Write(blank[:min(left, int64(len(blank)))])
	}
	if err == nil {
		_, err = io.WriteString(w, "]}")
	}
	p.failed = errors.Join(p.failed, err)
}

func (p *packer) close() ([]byte, error) {
	err := errors.Join(p.failed, p.zip.Close())
	return p.out.Bytes(), err
}
