package simulator

import (
	"strconv"
	"time"
)

// account is the customer every record belongs to.
const account = "CSIM1A240"

// timeLayout is a time as Mimecast writes it: local offset, no colon.
const timeLayout = "2006-01-02T15:04:05-0700"

// offsets are the zones records are written in, in minutes east of Greenwich.
var offsets = []int{0, 60, 0, -240, 330, 600, -210}

// line is one log line in the making: its fields in wire order and the chance
// they are made from.
type line struct {
	dice
	fields []member
}

func (l *line) add(key string, v value)             { l.fields = append(l.fields, member{key, v}) }
func (l *line) text(key, s string)                  { l.add(key, textValue(s)) }
func (l *line) number(key string, n int)            { l.add(key, numberValue(n)) }
func (l *line) truth(key string, b bool)            { l.add(key, truthValue(b)) }
func (l *line) null(key string)                     { l.add(key, value{}) }
func (l *line) object(key string, fields ...member) { l.add(key, objectOf(fields...)) }

// maybe adds a text, or null for an empty one: key_value cannot tell the two
// apart, so an empty text is never written.
func (l *line) maybe(key, s string) {
	if s == "" {
		l.null(key)
		return
	}
	l.text(key, s)
}

// flags adds the flags the service writes as text.
func (l *line) flags(keys ...string) {
	for _, key := range keys {
		l.text(key, l.pick(flags))
	}
}

// moment adds datetime in one of several zones.
func (l *line) moment(at time.Time) {
	minutes := offsets[l.below(len(offsets))]
	l.text("datetime", at.In(time.FixedZone("", minutes*60)).Format(timeLayout))
}

func (d *dice) ip() string {
	return "192.0.2." + strconv.Itoa(d.below(256))
}

func (d *dice) address(domains []string) string {
	return d.pick(people) + "@" + d.pick(domains)
}

// mail is what the log lines of one mail share. An empty string is a null.
type mail struct {
	aCode, msgID, subject              string
	sender, senderDomain, rcpt, header string
	direction, ip                      string
}

func newMail(seed, batch, number uint64) mail {
	d := newDice(seed, streamMail, batch, number)
	m := mail{
		aCode:        d.base64(16),
		direction:    d.pick(directions),
		ip:           d.ip(),
		senderDomain: d.pick(outside),
		rcpt:         d.address(inside),
	}
	m.sender = d.pick(people) + "@" + m.senderDomain
	m.header = m.sender
	if !d.oneIn(8) {
		m.msgID = "<" + d.hex(9) + "@" + m.senderDomain + ">"
	}
	if !d.oneIn(8) {
		m.subject = d.pick(subjects)
	}
	if d.oneIn(12) {
		m.sender = "<>"
	}
	return m
}
