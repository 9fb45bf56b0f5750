package record

import (
	"bytes"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	jsoniter "github.com/json-iterator/go"
	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fastjson"
)

// BenchmarkScanners compares ways to turn the records of JSON files into
// msgpack, each as its library would have it: no check for keys that come twice,
// no timestamp, no bounds, all in memory. The last is this package's, which does
// all that.
func BenchmarkScanners(b *testing.B) {
	in := makeBatch(b, "json")
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
				for _, f := range in.files {
					out = scanner.encode(b, out[:0], f)
				}
			}
			in.report(b)
		})
	}
}

func ownRecords(b *testing.B, dst []byte, f batchFile) []byte {
	var r Reader
	d := r.Open(bytes.NewReader(f.content), Origin{Source: "siem", Type: f.logType, Collected: collected}, true)
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
		return appendNumber(dst, []byte(it.ReadNumber()))
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
		return appendNumber(dst, []byte(t.String()))
	case 't', 'f':
		return msgp.AppendBool(dst, t.Bool())
	}
	return msgp.AppendNil(dst)
}

// fastjsonRecords gives the library record by record: its tree of a whole file
// costs much more.
func fastjsonRecords(b *testing.B, dst []byte, f batchFile) []byte {
	var p fastjson.Parser
	for i := bytes.IndexByte(f.content, '[') + 1; f.content[i-1] != ']'; {
		end, err := skipValue(f.content, i)
		if err != nil {
			b.Fatal(err)
		}
		v, err := p.ParseBytes(f.content[i:end])
		if err != nil {
			b.Fatal(err)
		}
		dst = fastjsonValue(dst, v)
		i = end + 1
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
