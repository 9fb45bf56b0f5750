package collector

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// space is an answer of statfs.
type space struct {
	free, total uint64
	err         error
}

// unknown are answers that say nothing about the room there is.
func unknown() map[string]space {
	return map[string]space{
		"zero":                   {0, 0, nil},
		"free without a total":   {1 << 30, 0, nil},
		"all ones":               {math.MaxUint64, math.MaxUint64, nil},
		"free is all ones":       {math.MaxUint64, 1 << 40, nil},
		"total is all ones":      {0, math.MaxUint64, nil},
		"total is too large":     {0, 1 << 63, nil},
		"more free than total":   {1<<40 + 1, 1 << 40, nil},
		"an error":               {0, 0, errors.New("function not implemented")},
		"an error, with numbers": {0, 1 << 40, errors.New("stale file handle")},
	}
}

func TestRoomUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range unknown() {
		t.Run(name, func(t *testing.T) {
			withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
				r.statfs = func(string) (uint64, uint64, error) { return answer.free, answer.total, answer.err }
				for range 2 {
					r.sim.AddBatch(100)
				}
				r.start()
				r.run(time.Minute)
				r.clean()
				r.notLogged("nearly full", "there is room on")
				if n := strings.Count(r.log.String(), "free space is unknown"); n != 1 {
					r.t.Errorf("said %d times that the space is unknown", n)
				}
			})
		})
	}
}
