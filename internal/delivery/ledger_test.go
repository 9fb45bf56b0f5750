package delivery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
)

// keepLedger runs a ledger through steps, one a line, and returns what it found out:
// its events, and the positions that became safe.
//
//	gave N [P]   an append of N records, with position P behind it
//	move P       a position behind what was handed over
//	count N [Q]  the host has counted N records, and Q appends if it counts these
//	blind        it has no count
//	after D      time passes
//	pause, resume, end
func keepLedger(t *testing.T, text string) string {
	t.Helper()
	now := time.Unix(1e9, 0)
	l := ledger{countedAt: now}
	var out []string
	paused, resumed := false, now
	names := map[event]string{standsStill: "stands still", dropped: "dropped", disagrees: "disagrees", noSign: "no sign", agrees: "agrees"}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		var n, q int
		if len(f) > 1 {
			_, _ = fmt.Sscan(f[1], &n)
		}
		var change *checkpoint.Change
		position := func(i int) {
			if len(f) > i {
				change = &checkpoint.Change{Position: f[i]}
			}
		}
		e := nothingNew
		switch f[0] {
		case "gave":
			position(2)
			l.gave(n, 100*n, change, now)
		case "move":
			position(1)
			l.moved(change, now)
		case "count":
			q = -1
			if len(f) > 2 {
				_, _ = fmt.Sscan(f[2], &q)
			}
			e = l.look(Counts{Records: uint64(n), Queued: int64(q)}, true, paused, resumed, now)
		case "blind":
			e = l.look(Counts{}, false, paused, resumed, now)
		case "after":
			d, err := time.ParseDuration(f[1])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
		case "pause":
			paused = true
		case "resume":
			paused, resumed = false, now
			l.resume(now)
		case "end":
			l.end()
		default:
			t.Fatalf("no step %q", line)
		}
		if e != nothingNew {
			out = append(out, names[e])
		}
		for _, c := range l.settled() {
			out = append(out, c.Position.(string))
		}
	}
	if held := slices.IndexFunc(l.sent, func(u unit) bool { return !u.counted }); held < 0 && (l.inFlight != 0 || l.appends != 0) {
		t.Errorf("%d bytes, %d appends are held against nothing", l.inFlight, l.appends)
	}
	return strings.Join(out, ", ")
}

func TestLedger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, steps, want string }{
		{"an append is safe when a later one is counted", `
			count 0 0
			gave 10 A
			gave 1 B
			count 10 2
			count 11 2
			gave 5 C
			count 16 3`, "A, B"},
		{"all counted is not all safe", `
			count 0
			gave 10 A
			count 10`, ""},
		{"the base is the count before the first append", `
			count 70 3
			gave 10 A
			gave 1 B
			count 81 5`, "A"},
		{"the end of an instance makes safe what is counted", `
			count 0
			gave 10 A
			gave 1 B
			count 10
			end`, "A"},
		{"a position alone is safe with the records before it", `
			count 0
			gave 10 A
			move P
			move Q
			count 10
			gave 1 B
			count 11`, "A, Q"},
		{"a position before all records is safe at once", `
			count 0
			move P`, "P"},
		{"a count between two appends is doubted, and guessed", `
			count 0
			gave 10 A
			gave 1 B
			count 7
			after 9s
			count 7
			after 1s
			count 7`, "disagrees, A, B"},
		{"a guess waits for the end of a pause", `
			blind
			gave 10 A
			after 5s
			pause
			after 5m
			blind
			resume
			after 9s
			blind
			after 1s
			blind`, "A"},
		{"without a count the end makes safe what is a second old", `
			blind
			gave 10 A
			after 2s
			blind
			gave 1 B
			end`, "A"},
		{"a host that tells its appends may stand still for as long as it likes", `
			count 0 0
			gave 10 A
			after 61s
			count 0 1
			after 1h
			count 0 1
			gave 1 B
			count 11 2`, "stands still, A"},
		{"one that does not is guessed after a minute", `
			count 0
			gave 10 A
			after 61s
			count 0
			count 0`, "no sign, A"},
		{"not while it is paused", `
			count 0
			gave 10 A
			pause
			after 1h
			count 0
			resume
			after 59s
			count 0`, ""},
		{"doubt ends when all is counted", `
			count 0
			gave 10 A
			after 61s
			count 0
			gave 5 B
			gave 5 C
			count 15
			count 20`, "no sign, A, agrees, B"},
		{"the end of an earlier append ends no doubt", `
			count 0
			gave 10 A
			gave 1 B
			count 9
			gave 1 C
			gave 1 D
			count 11
			after 10s
			count 11`, "disagrees, A, B, C, D"},
		{"the same count again ends no doubt", `
			count 0
			gave 10 A
			count 10
			gave 5 B
			after 61s
			count 10
			count 10`, "no sign, A, B"},
		{"a count of what was handed over before the guess began is not enough", `
			count 0
			gave 10 A
			gave 10 B
			after 61s
			count 0
			gave 10 C
			count 10
			count 30`, "no sign, A, B, agrees"},
		{"doubt by a count between two appends ends too", `
			count 0
			gave 10 A
			gave 10 B
			count 12
			count 20
			gave 10 C
			count 30`, "disagrees, agrees, A, B"},
		{"not after the host has counted more than it was handed", `
			count 0
			gave 10 A
			gave 10 B
			count 40
			gave 10 C
			gave 10 D
			count 40
			gave 10 E
			count 50`, "disagrees"},
		{"nor while appends are missing", `
			count 0 0
			gave 10 A
			gave 10 B
			count 10 1
			gave 10 C
			count 20 2`, "dropped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := keepLedger(t, c.steps); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}
