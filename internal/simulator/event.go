package simulator

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// event is what is kept of an impersonation event.
type event struct {
	second  int64 // its eventTime, Unix
	number  int64 // in the order of adding
	visible int64 // from when on it is found, Unix nanoseconds
}

func compareEvents(a, b event) int {
	return cmp.Or(cmp.Compare(a.second, b.second), cmp.Compare(a.number, b.number))
}

// timeline holds the events, sorted by eventTime and number. Safe for concurrent
// use; a snapshot never changes.
type timeline struct {
	mu     sync.Mutex
	sorted []event
}

func (t *timeline) snapshot() []event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sorted
}

// add adds n events; at tells the times of the one of that index.
func (t *timeline) add(n int, at func(i int) (eventTime, visible time.Time)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := make([]event, len(t.sorted), len(t.sorted)+max(0, n))
	copy(next, t.sorted)
	for i := range n {
		eventTime, visible := at(i)
		next = append(next, event{eventTime.Unix(), int64(len(next)), visible.UnixNano()})
	}
	slices.SortFunc(next, compareEvents)
	t.sorted = next
}

// impersonation is an event with its contents.
type impersonation struct {
	id, sender, recipient, subject, definition string
	identifiers                                []string
	action                                     string
	taggedExternal, taggedMalicious            bool
	ip, eventTime, messageID                   string
	domain, name, word                         string
	spelling                                   spelling
}

func newImpersonation(seed uint64, e event) impersonation {
	d := newDice(seed, streamEvent, uint64(e.number))
	i := impersonation{
		id:              "MTOKEN:" + d.base64(60),
		recipient:       d.address(inside),
		subject:         d.pick(subjects),
		definition:      d.pick(definitions),
		action:          d.pick(eventActions),
		taggedExternal:  d.oneIn(2),
		taggedMalicious: d.oneIn(2),
		ip:              d.ip(),
		eventTime:       time.Unix(e.second, 0).UTC().Format(timeLayout),
		domain:          d.pick(outside),
		name:            d.pick(names),
		word:            d.pick(threatWords),
		spelling:        spelling{ascii: d.oneIn(4), slash: d.oneIn(2)},
	}
	i.sender = d.pick(people) + "@" + i.domain
	i.messageID = "<" + d.hex(8) + "@" + i.domain + ">"
	first := d.below(len(similarIdentifiers))
	i.identifiers = slices.Clone(similarIdentifiers[first:min(first+1+d.below(2), len(similarIdentifiers))])
	return i
}

// fields returns the event in wire order.
func (i impersonation) fields() []member {
	return []member{
		{"id", textValue(i.id)},
		{"senderAddress", textValue(i.sender)},
		{"recipientAddress", textValue(i.recipient)},
		{"subject", textValue(i.subject)},
		{"definition", textValue(i.definition)},
		{"hits", numberValue(len(i.identifiers))},
		{"identifiers", textsOf(i.identifiers)},
		{"action", textValue(i.action)},
		{"taggedExternal", truthValue(i.taggedExternal)},
		{"taggedMalicious", truthValue(i.taggedMalicious)},
		{"senderIpAddress", textValue(i.ip)},
		{"eventTime", textValue(i.eventTime)},
		{"impersonationResults", i.results()},
		{"messageId", textValue(i.messageID)},
	}
}

// results returns one result for each identifier, with the fields its kind has.
func (i impersonation) results() value {
	var results []value
	for _, identifier := range i.identifiers {
		source := member{"impersonationDomainSource", textValue(identifier)}
		switch identifier {
		case "targeted_threat_dictionary":
			results = append(results, objectOf(source, member{"stringSimilarToDomain", textValue(i.word)}))
		case "internal_user_name":
			results = append(results, objectOf(source,
				member{"similarDomain", textValue(i.name + " <" + i.recipient + ">")},
				member{"stringSimilarToDomain", textValue(i.name)},
				member{"checkerResult", textValue("hit")}))
		default:
			results = append(results, objectOf(source,
				member{"similarDomain", textValue(i.domain)},
				member{"stringSimilarToDomain", value{}},
				member{"checkerResult", textValue("hit")}))
		}
	}
	return arrayOf(results...)
}
