package state

import "testing"

func TestIdentityStays(t *testing.T) {
	dir := t.TempDir()
	for _, fresh := range []string{"first", "second"} {
		s, err := OpenBadger(dir, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Identity(t.Context(), s, fresh); got != "first" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Identity(t.Context(), NewMemory(), "other"); got != "other" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
