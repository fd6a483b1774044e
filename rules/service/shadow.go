package service

import (
	"sync"

	"github.com/cepheus-cep/cepheus/event"
)

// Shadows keeps the last alerts that rules with `mode shadow` would have sent. It is safe
// for several goroutines.
type Shadows struct {
	mu    sync.Mutex // leaf
	ring  []Shadow
	total uint64
}

// Shadow is an alert that was not sent.
type Shadow struct {
	Number uint64 // from 1, of all that there were
	Rule   string
	JSON   []byte
}

// NewShadows makes room for so many alerts, at least one.
func NewShadows(most int) *Shadows { return &Shadows{ring: make([]Shadow, 0, max(1, most))} }

// Add is for [engine.Options].Shadow: it copies the alert.
func (s *Shadows) Add(a *event.Alert) {
	text := a.AppendJSON(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	one := Shadow{Number: s.total, Rule: a.Rule, JSON: text}
	if len(s.ring) < cap(s.ring) {
		s.ring = append(s.ring, one)
		return
	}
	s.ring[(s.total-1)%uint64(len(s.ring))] = one
}

// Last returns the last alerts of a rule, or of all where its name is empty, the newest
// first, so many at most.
func (s *Shadows) Last(rule string, most int) []Shadow {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Shadow
	for n := s.total; n > 0 && s.total-n < uint64(len(s.ring)) && len(out) < most; n-- {
		if one := s.ring[(n-1)%uint64(cap(s.ring))]; rule == "" || one.Rule == rule {
			out = append(out, one)
		}
	}
	return out
}
