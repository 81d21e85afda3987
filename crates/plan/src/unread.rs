//! Models that a job reads nothing from.

use crate::{CardKind, Plan, Refused};

impl Plan {
    /// Leaves out the models that nothing of the job can be compared with: an empty row would not say why it is.
    pub(crate) fn refuse_unread(&mut self) {
        if self.benchmarks.is_empty() {
            return;
        }
        for (model, facts) in self.models.iter().enumerate() {
            let read = self.features.iter().any(|unit| unit.model == model);
            if read || self.syntheses.iter().any(|unit| unit.model == model) {
                continue;
            }
            let reason = match facts.mapped() {
                0 => "it gives answers, and no benchmark of the job is behavioural",
                _ => {
                    "all benchmarks of the job are behavioural, and it has no layer to read answers from: name one as `readout` in its card"
                }
            };
            let card = facts.identifier.clone();
            self.refused.push(Refused { kind: CardKind::Model, card, reason: reason.to_owned() });
        }
    }
}
