// Package rivals measures JSON libraries beside package record. It is a module of its
// own, so that the plugin depends on none of them.
package rivals

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	jsoniter "github.com/json-iterator/go"
	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fastjson"

	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/internal/simulator"
)

// records is how many there are in the files of a batch.
const records = 10_000

// batchFile is a log file: all of it, and its records one by one.
type batchFile struct {
	logType string
	content []byte
	records []json.RawMessage
}

// makeBatch returns the files of a simulated batch of all types.
func makeBatch(b *testing.B) (files []batchFile) {
	b.Helper()
	server, err := simulator.New(simulator.Config{Seed: 1, Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	server.AddBatch(records)
	packed, err := server.RawZip(0, "json")
	if err != nil {
		b.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			b.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			b.Fatal(err)
		}
		var list struct{ Data []json.RawMessage }
		if err := json.Unmarshal(content, &list); err != nil {
			b.Fatal(err)
		}
		files = append(files, batchFile{record.TypeOf(f.Name), content, list.Data})
	}
	return files
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// BenchmarkScanners compares ways to turn the records of JSON files into
// msgpack, each as its library would have it: no check for keys that come twice,
// no timestamp, no bounds, all in memory. The last is package record, which does
// all that.
func BenchmarkScanners(b *testing.B) {
	files := makeBatch(b)
	for _, scanner := range []struct {
		name   string
		encode func(b *testing.B, dst []byte, f batchFile) []byte
	}{
		{"json-iterator", iteratorRecords},
		{"jsontext", jsontextRecords},
		{"fastjson", fastjsonRecords},
		{"own", ownRecords},
	} {
		b.Run(scanner.name, func(b *testing.B) {
			out := make([]byte, 0, 8<<20)
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range files {
					out = scanner.encode(b, out[:0], f)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
		})
	}
}

// appendNumber appends a number of JSON, as an integer if it is one.
func appendNumber(dst []byte, text string) []byte {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return msgp.AppendInt64(dst, n)
	}
	f, _ := strconv.ParseFloat(text, 64) // it is a number, by its scanner
	return msgp.AppendFloat64(dst, f)
}

func ownRecords(b *testing.B, dst []byte, f batchFile) []byte {
	var r record.Reader
	d := r.Open(bytes.NewReader(f.content), record.Origin{Source: "siem", Type: f.logType, Collected: now}, true)
	for {
		var err error
		if dst, err = d.Next(dst); err == io.EOF {
			return dst
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

func iteratorRecords(b *testing.B, dst []byte, f batchFile) []byte {
	it := jsoniter.ParseBytes(jsoniter.ConfigDefault, f.content)
	it.ReadObjectCB(func(it *jsoniter.Iterator, key string) bool {
		if key != "data" {
			it.Skip()
			return true
		}
		return it.ReadArrayCB(func(it *jsoniter.Iterator) bool {
			dst = iteratorValue(dst, it)
			return true
		})
	})
	if it.Error != nil {
		b.Fatal(it.Error)
	}
	return dst
}

func iteratorValue(dst []byte, it *jsoniter.Iterator) []byte {
	switch it.WhatIsNext() {
	case jsoniter.ObjectValue:
		at, n := len(dst), 0
		dst = append(dst, 0xde, 0, 0)
		it.ReadMapCB(func(it *jsoniter.Iterator, key string) bool {
			n++
			dst = iteratorValue(msgp.AppendString(dst, key), it)
			return true
		})
		dst[at+1], dst[at+2] = byte(n>>8), byte(n)
		return dst
	case jsoniter.ArrayValue:
		at, n := len(dst), 0
		dst = append(dst, 0xdc, 0, 0)
		it.ReadArrayCB(func(it *jsoniter.Iterator) bool {
			n++
			dst = iteratorValue(dst, it)
			return true
		})
		dst[at+1], dst[at+2] = byte(n>>8), byte(n)
		return dst
	case jsoniter.StringValue:
		return msgp.AppendString(dst, it.ReadString())
	case jsoniter.NumberValue:
		return appendNumber(dst, string(it.ReadNumber()))
	case jsoniter.BoolValue:
		return msgp.AppendBool(dst, it.ReadBool())
	}
	it.Skip()
	return msgp.AppendNil(dst)
}

func jsontextRecords(b *testing.B, dst []byte, f batchFile) []byte {
	d := jsontext.NewDecoder(bytes.NewBuffer(f.content), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	list := false
	for {
		if !list {
			t, err := d.ReadToken()
			if err != nil {
				b.Fatal(err)
			}
			list = t.Kind() == '['
			continue
		}
		if d.PeekKind() == ']' {
			return dst
		}
		dst = jsontextValue(b, dst, d)
	}
}

func jsontextValue(b *testing.B, dst []byte, d *jsontext.Decoder) []byte {
	t, err := d.ReadToken()
	if err != nil {
		b.Fatal(err)
	}
	switch t.Kind() {
	case '{':
		at, n := len(dst), 0
		dst = append(dst, 0xde, 0, 0)
		for d.PeekKind() != '}' {
			n++
			dst = jsontextValue(b, jsontextValue(b, dst, d), d)
		}
		if _, err := d.ReadToken(); err != nil {
			b.Fatal(err)
		}
		dst[at+1], dst[at+2] = byte(n>>8), byte(n)
		return dst
	case '[':
		at, n := len(dst), 0
		dst = append(dst, 0xdc, 0, 0)
		for d.PeekKind() != ']' {
			n++
			dst = jsontextValue(b, dst, d)
		}
		if _, err := d.ReadToken(); err != nil {
			b.Fatal(err)
		}
		dst[at+1], dst[at+2] = byte(n>>8), byte(n)
		return dst
	case '"':
		return msgp.AppendString(dst, t.String())
	case '0':
		return appendNumber(dst, t.String())
	case 't', 'f':
		return msgp.AppendBool(dst, t.Bool())
	}
	return msgp.AppendNil(dst)
}

// fastjsonRecords gives the library record by record, split before: its tree of a whole
// file costs much more.
func fastjsonRecords(b *testing.B, dst []byte, f batchFile) []byte {
	var p fastjson.Parser
	for _, r := range f.records {
		v, err := p.ParseBytes(r)
		if err != nil {
			b.Fatal(err)
		}
		dst = fastjsonValue(dst, v)
	}
	return dst
}

func fastjsonValue(dst []byte, v *fastjson.Value) []byte {
	switch v.Type() {
	case fastjson.TypeObject:
		o := v.GetObject()
		dst = msgp.AppendMapHeader(dst, uint32(o.Len()))
		o.Visit(func(key []byte, v *fastjson.Value) { dst = fastjsonValue(msgp.AppendStringFromBytes(dst, key), v) })
		return dst
	case fastjson.TypeArray:
		list := v.GetArray()
		dst = msgp.AppendArrayHeader(dst, uint32(len(list)))
		for _, element := range list {
			dst = fastjsonValue(dst, element)
		}
		return dst
	case fastjson.TypeString:
		return msgp.AppendStringFromBytes(dst, v.GetStringBytes())
	case fastjson.TypeNumber:
		return msgp.AppendInt64(dst, v.GetInt64())
	case fastjson.TypeTrue, fastjson.TypeFalse:
		return msgp.AppendBool(dst, v.GetBool())
	}
	return msgp.AppendNil(dst)
}
