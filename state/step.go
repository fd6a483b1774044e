package state

// Step names a moment of a store's work that a crash may come at, as Options.Step sees
// it. What lies between "before" and "after" may be on disk or not; what came before is.
type Step string

// The steps. A record is that of one epoch in the journal; a batch is one transaction of
// a checkpoint, which is durable when it is written: a group has one of them or more, the
// last holds the marker. The mark is the file EPOCH.
const (
	BeforeSegment Step = "before segment" // of the journal is made
	AfterSegment  Step = "after segment"
	BeforeRecord  Step = "before record"
	AfterRecord   Step = "after record"      // it is written, and not yet durable
	AfterSync     Step = "after record sync" // it is durable
	BeforeRemoval Step = "before removal"    // of a segment whose records are in the tree
	AfterRemoval  Step = "after removal"
	BeforeBatch   Step = "before batch"
	AfterBatch    Step = "after batch"
	BeforeMark    Step = "before mark"
	AfterMark     Step = "after mark"
	BeforeRename  Step = "before rename" // of FORMAT, which makes a directory a state directory
	AfterRename   Step = "after rename"
	BeforeBallast Step = "before ballast" // made, or given back
	AfterBallast  Step = "after ballast"
)

// step tells of a step, if anyone wants to know.
func (o *Options) step(s Step) error {
	if o.Step == nil {
		return nil
	}
	return o.Step(s)
}

// around does f between the steps before and after.
func (o *Options) around(before, after Step, f func() error) error {
	if err := o.step(before); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return o.step(after)
}
