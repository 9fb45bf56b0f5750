package record

import "bytes"

// Where a free text of a key_value line ends. This is the other half of
// [KeyValueDecoder]: what is found depends on the fields read so far, and so the
// two files know each other.

// The fields that mark a record whose line can be read in another way too.
const (
	keyAmbiguous = "log_ambiguous"
	keyOriginal  = "log_original"
)

// What log_ambiguous says.
const (
	textEnds      = "a text may end elsewhere"
	fieldTwice    = "a field comes twice"
	anotherRecord = "another record may begin in it"
)

// doubt notes why the line can be read in another way too, the first reason only.
func (d *KeyValueDecoder) doubt(why string) {
	if d.ambiguous == "" {
		d.ambiguous = why
	}
}

// Bounds of what is looked into where a text has several ends: hostile lines must
// not cost more than they are worth.
const (
	maxOpen   = 64 << 10  // bytes of a text that its line does not close
	maxLines  = 16        // lines that it goes on over which begin as lines do
	maxEnds   = 64        // ends of one text
	maxRest   = 128       // parts of the line after one of them
	maxLooked = 512 << 10 // bytes looked at for all that, in one line
)

// textEnd returns where the text that opens at a place in line ends: at its
// closing backslash, which may lie behind the line, or at the line's end if
// nothing closes it.
//
// Honest texts hold no backslash before |identifier=, so the first end is the
// right one. A hostile one holds some to forge the fields that follow. What tells
// is how the rest of the line would read from there, each later text ending at
// its first end:
//
//   - A field that comes twice shows that the end is a forged one.
//   - A value that ends with a backslash, and does not open with one, is likely
//     the true end of a forged text.
//   - A record that lacks what its type always has is likely cut by a text that
//     ends too late.
//
// What a sender writes is the subject. The rest of a text before it is read up to
// the subject only, for nothing in a subject may tell where another text ends.
func (d *KeyValueDecoder) textEnd(b, line, key []byte, open int) (int, error) {
	subject := isSubject(key)
	reach, err := d.reach(b, len(line), open)
	if err != nil {
		return 0, err
	}
	first := closingIn(b[:reach], open+1)
	for lines := 0; first < 0; lines++ {
		if !subject {
			d.left = true
			return len(line), nil // what is no sender's holds no line
		}
		if reach, err = d.reachOn(b, reach, open, lines); err != nil || reach < 0 {
			return len(line), err
		}
		first = closingIn(b[:reach], open+1)
	}
	nearest := first
	var end int
	for lines := 0; ; lines++ {
		r := reading{end: first}
		looked := d.strict || reach > len(line) || closingIn(b[:reach], first+1) >= 0
		if looked {
			r = d.choose(b[:reach], first, subject)
		}
		if end = r.end; !subject {
			break
		}
		if looked && (r.twice || r.open) {
			d.doubt(textEnds)
			further, err := d.reachOn(b, reach, open, lines)
			if err != nil {
				return 0, err
			}
			if further < 0 {
				break
			}
			reach = further
			continue
		}
		more, err := d.danglesBehind(b, end)
		if err != nil {
			return 0, err
		}
		if more < 0 || more-open > maxOpen || lines == maxLines {
			break
		}
		d.doubt(textEnds)
		first = more
		if reach, err = d.reachEnd(b, more, open); err != nil {
			return 0, err
		}
	}
	if text := b[open+1 : end]; (end > nearest || end > len(line) || bytes.Contains(text, []byte(`\`+beforeTime))) && holdsRecordStart(text) {
		d.doubt(textEnds)
	}
	return end, nil
}

// reach returns how far a text that opens at a place may be closed: to the end of
// its line, and over the lines after it that do not begin as lines do.
func (d *KeyValueDecoder) reach(b []byte, end, open int) (int, error) {
	for end-open < maxOpen && d.looked < maxLooked {
		i := afterBlanks(b, end)
		if i+lineHead > len(b) && !d.complete(b) {
			return 0, errShort
		}
		if i == len(b) || d.beginsLine(b, i) {
			break
		}
		d.looked -= end
		if end = lineBreak(b, i); end == len(b) && !d.complete(b) {
			return 0, errShort
		}
		d.looked += end
	}
	return end, nil
}

// reachEnd does the same from the end of the line that i is in.
func (d *KeyValueDecoder) reachEnd(b []byte, i, open int) (int, error) {
	end := lineBreak(b, i)
	if end == len(b) && !d.complete(b) {
		return 0, errShort
	}
	return d.reach(b, end, open)
}

// reachOn returns how far the text may be closed over one more line, -1 where it
// may not: a line that is a whole record by itself is one.
func (d *KeyValueDecoder) reachOn(b []byte, reach, open, lines int) (int, error) {
	i := afterBlanks(b, reach)
	if i == len(b) || i-open > maxOpen || lines == maxLines || d.looked > maxLooked {
		return -1, nil
	}
	end := lineBreak(b, i)
	if end == len(b) && !d.complete(b) {
		return 0, errShort
	}
	if d.isWhole(b[:end], i) {
		d.doubt(textEnds)
		return -1, nil
	}
	return d.reach(b, end, open)
}

// isWhole reports whether the line that begins at i is a record with all that its
// type always has, none of it twice, and no end of a text that it does not open.
func (d *KeyValueDecoder) isWhole(line []byte, i int) bool {
	d.rest = d.rest[:0]
	for i = afterBlanks(line, i); i < len(line); i = afterBlanks(line, i) {
		p := partAt(line, i)
		if p.key == 0 || p.dangling || p.open || len(d.rest) == maxRest || among(d.rest, line, line[i:i+p.key]) {
			return false
		}
		d.rest = append(d.rest, keyAt{uint32(i), uint32(p.key)})
		i = p.end
	}
	for _, name := range d.always {
		if !among(d.rest, line, []byte(name)) {
			return false
		}
	}
	return true
}

// lineHead is how much of a line shows whether it begins as lines do.
const lineHead = 128

// beginsLine reports whether what stands at i begins as lines do: with datetime
// and a time, and acc if this line has it, or where this line begins otherwise
// with the same field.
func (d *KeyValueDecoder) beginsLine(b []byte, i int) bool {
	line, own := b[i:min(i+lineHead, len(b))], b[d.pos:min(d.pos+lineHead, len(b))]
	const code, acc = len(beforeTime) + timeLength, len(beforeTime) + timeLength + len("|aCode=") + 22
	if len(line) == lineHead && len(own) == lineHead && string(line[:len(beforeTime)]) == beforeTime &&
		string(line[code:code+7]) == "|aCode=" && string(line[acc:acc+5]) == "|acc=" {
		return true // as nearly always
	}
	line, own = line[:lineBreak(line, 0)], own[:lineBreak(own, 0)]
	if beginsWithTime(line) {
		return accFollows(line) || !accFollows(own)
	}
	return !beginsWithTime(own) && bytes.HasPrefix(line, own[:identifier(own, 0)+1])
}

func beginsWithTime(line []byte) bool {
	end := len(beforeTime) + timeLength
	return len(line) >= end && recordStart(line[:end]) == 0
}

// accFollows reports whether a line has acc after its first field, or after aCode
// behind that, as all documented lines do.
func accFollows(line []byte) bool {
	_, line, _ = bytes.Cut(line, []byte("|"))
	if bytes.HasPrefix(line, []byte("aCode=")) {
		_, line, _ = bytes.Cut(line, []byte("|"))
	}
	return bytes.HasPrefix(line, []byte("acc="))
}

// closingIn returns the place of the first backslash from i on that can close a
// text: before |identifier= or at a line's end; -1 when there is none.
func closingIn(b []byte, i int) int {
	for {
		n := bytes.IndexByte(b[i:], '\\')
		if n < 0 {
			return -1
		}
		if i += n + 1; atFieldEnd(b, i) {
			return i - 1
		}
	}
}

// atFieldEnd reports whether a field can end at i.
func atFieldEnd(b []byte, i int) bool {
	if i < len(b) && b[i] == '|' {
		if i++; i < len(b) && identifier(b, i) >= 0 {
			return true
		}
	}
	return i == len(b) || isBreak(b[i])
}

// reading is how the rest of a line reads after one of the ends of a text.
type reading struct {
	end      int  // of the text
	next     int  // the next place where it can end, -1 for none
	twice    bool // a field comes twice
	missing  int  // fields that the type always has
	dangling bool // a value ends with a backslash that no text opened
	open     bool // nothing closes a later text
	junk     bool // a line follows that does not begin as lines do
	unknown  bool // before the next end, a field that is not documented
}

// clean reports whether nothing speaks against a reading.
func (r reading) clean() bool {
	return !r.twice && r.missing == 0 && !r.dangling && !r.open && !r.junk && !r.unknown
}

// better reports whether a reading is to be preferred to an earlier one.
func (r reading) better(than reading) bool {
	switch {
	case r.twice != than.twice:
		return than.twice
	case r.open != than.open:
		return than.open
	case r.junk != than.junk:
		return than.junk
	case r.missing != than.missing:
		return r.missing < than.missing
	}
	return than.dangling && !r.dangling
}

// choose returns the best reading after one of the ends of a text, from the first
// on.
func (d *KeyValueDecoder) choose(b []byte, first int, subject bool) reading {
	var best reading
	possible := 0 // readings in which no field comes twice
	otherwise := false
	for n, end := 0, first; end >= 0; n++ {
		if n == maxEnds || d.looked > maxLooked {
			d.doubt(textEnds)
			return reading{end: lastClosing(b, end)}
		}
		r := d.read(b, end, subject)
		end = r.next
		if !r.twice {
			possible++
		}
		if n == 0 || r.better(best) {
			otherwise = otherwise || (n > 0 && !best.twice)
			best = r
		}
		if r.clean() {
			break
		}
	}
	if otherwise || (possible > 1 && (best.dangling || best.open || best.unknown)) {
		d.doubt(textEnds)
	}
	return best
}

// lastClosing returns the last place from i on, where a text can be closed, at
// which one can.
func lastClosing(b []byte, i int) int {
	for end := len(b) - 1; end > i; end-- {
		if end = i + bytes.LastIndexByte(b[i:end+1], '\\'); atFieldEnd(b, end+1) {
			return end
		}
	}
	return i
}

// read reads what follows the end of a text.
func (d *KeyValueDecoder) read(b []byte, end int, subject bool) reading {
	r := reading{end: end, next: closingIn(b, end+1)}
	d.rest = d.rest[:0]
	first := true // no text, nor the end of one, since
	for at, parts := end+1, 0; ; parts++ {
		i := afterBlanks(b, at)
		if i == len(b) {
			break
		}
		if lineBreak(b[:i], at) < i {
			if d.beginsLine(b, i) {
				break
			}
			r.junk = true
		}
		p := partAt(b, i)
		at = p.end
		if d.looked += at - i; parts == maxRest {
			r.twice = true
			return r
		}
		if p.object && i < r.next && r.next < p.end {
			r.next = closingIn(b, p.end) // what is in an object ends no text
		}
		key := b[i : i+p.key]
		if p.key > 0 {
			if isOwn(key) || d.repeated(b, key, d.order.findText(key)) || among(d.rest, b, key) {
				r.twice = true
				return r
			}
			d.rest = append(d.rest, keyAt{uint32(i), uint32(p.key)})
			r.unknown = r.unknown || (first && !isDocumented(key))
		}
		if p.text && !subject && isSubject(key) {
			return r
		}
		if recordStart(b[i:p.end]) >= 0 && d.missing(b) == 0 && d.endless {
			break
		}
		r.dangling, r.open = r.dangling || p.dangling, r.open || p.open || (p.text && d.spansLines(b, i, p.end))
		first = first && !p.text && !p.dangling
	}
	if subject {
		r.missing = d.missing(b)
	}
	return r
}

// spansLines reports whether another line begins between two places.
func (d *KeyValueDecoder) spansLines(b []byte, i, end int) bool {
	for i = lineBreak(b[:end], i); i < end; i = lineBreak(b[:end], i) {
		if i = afterBlanks(b, i); i < end && d.beginsLine(b, i) {
			return true
		}
	}
	return false
}

// missing counts the fields that the type always has and the line lacks, up to
// now and in rest.
func (d *KeyValueDecoder) missing(line []byte) (n int) {
	for _, name := range d.always {
		key := []byte(name)
		if !d.repeated(line, key, d.order.findText(key)) && !among(d.rest, line, key) {
			n++
		}
	}
	return n
}

// part is a part of a line: a field, or what stands in the place of one.
type part struct {
	key      int // length of its key, 0 if it has none
	end      int // where it ends: at a bar, a line end, or the end
	text     bool
	object   bool
	open     bool // nothing closes the text
	dangling bool // it ends with a backslash that may close a text before it
}

// partAt returns the part of a line that begins at i.
func partAt(b []byte, i int) (p part) {
	value := i
	if eq := identifier(b, i); eq >= 0 {
		p.key, value = eq-i, eq+1
	}
	switch {
	case p.key == 0 || value == len(b):
	case b[value] == '\\':
		// What looks like the end of a text here may be one.
		p.text, p.dangling = true, atFieldEnd(b, value+1)
		if end := closingIn(b, value+1); end >= 0 {
			p.end = end + 1
		} else {
			p.end, p.open = len(b), true
		}
		return p
	case b[value] == '{' && kindOf(b[i:i+p.key]) == isObject:
		if end, err := skipValue(b, value); err == nil && atFieldEnd(b, end) {
			p.end, p.object = end, true
			return p
		}
	}
	p.end = nextField(b[:lineBreak(b, value)], value)
	p.dangling = p.end > value && b[p.end-1] == '\\'
	return p
}

// danglesBehind looks at the line after a text that ends its own. It returns the
// place of a backslash there that closes a text which does not open there: the
// text goes on up to it. -1 says that there is none.
func (d *KeyValueDecoder) danglesBehind(b []byte, end int) (int, error) {
	i := end + 1
	if i < len(b) && b[i] == '|' {
		i++
	}
	if i >= len(b) || !isBreak(b[i]) {
		return -1, nil
	}
	i = afterBlanks(b, i)
	if n := bytes.IndexByte(b[i:], '\\'); n > 0 && b[i+n-1] == '=' {
		return -1, nil // as nearly always
	}
	until := lineBreak(b, i)
	if until == len(b) && !d.complete(b) {
		return 0, errShort
	}
	for i < until {
		p := partAt(b[:until], i)
		switch {
		case p.text:
			return -1, nil
		case p.dangling:
			return p.end - 1, nil
		}
		i = afterBlanks(b[:until], p.end)
	}
	return -1, nil
}

const beforeTime = "datetime="

// timeLength is the length of a time as the service writes it.
const timeLength = len("2006-01-02T15:04:05+0100")

// recordStart returns where another record begins at the end of a value, -1 if
// none does: at datetime= and a time.
func recordStart(value []byte) int {
	at := len(value) - timeLength - len(beforeTime)
	if at < 0 || string(value[at:at+len(beforeTime)]) != beforeTime {
		return -1
	}
	if _, ok := parseFixed(value[at+len(beforeTime):]); !ok {
		return -1
	}
	return at
}

// holdsRecordStart reports whether a text holds datetime=, a time, and a bar.
func holdsRecordStart(text []byte) bool {
	for len(text) > len(beforeTime)+timeLength {
		n := bytes.Index(text, []byte(beforeTime))
		if n < 0 {
			return false
		}
		text = text[n:]
		if end := len(beforeTime) + timeLength; len(text) > end && text[end] == '|' && recordStart(text[:end]) == 0 {
			return true
		}
		text = text[len(beforeTime):]
	}
	return false
}
