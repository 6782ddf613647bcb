//! Reading on a thread of its own, so that one large item keeps two cores busy.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::chain::caught;
use crate::flow::{Block, Header};
use crate::operator::{Item, Output, Read, Step, Stop};

/// Blocks on their way.
const BLOCKS: usize = 4;

enum Message {
    Begin(Header),
    Block(Block),
    End,
    Count(&'static str, u64),
}

/// Reads an item on another thread and gives to `output` on this one.
pub fn read_ahead(read: &mut dyn Read, item: &Item, output: &mut dyn Output) -> Step {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BLOCKS);
        let (back, used) = channel();
        let reader = scope.spawn(move || caught(|| read.read(item, &mut Ahead { sender, used })));
        // With the receiver gone, a reader that is still at work stops at its next block.
        let taken = take(receiver, &back, output);
        let read = reader.join().unwrap_or(Err(Stop::Cancelled));
        taken.and(read)
    })
}

fn take(receiver: Receiver<Message>, back: &Sender<Block>, output: &mut dyn Output) -> Step {
    for message in receiver {
        match message {
            Message::Begin(header) => output.begin(&header)?,
            Message::Block(mut block) => {
                output.block(&mut block)?;
                // A reader that has ended needs none.
                let _ = back.send(block);
            }
            Message::End => output.end()?,
            Message::Count(what, amount) => output.count(what, amount),
        }
    }
    Ok(())
}

/// Where a reader puts its blocks, and gets those back that were used.
struct Ahead {
    sender: SyncSender<Message>,
    used: Receiver<Block>,
}

impl Ahead {
    fn send(&self, message: Message) -> Step {
        self.sender.send(message).map_err(|_| Stop::Cancelled)
    }
}

impl Output for Ahead {
    fn begin(&mut self, header: &Header) -> Step {
        self.send(Message::Begin(header.clone()))
    }

    fn block(&mut self, block: &mut Block) -> Step {
        let used = self.used.try_recv().unwrap_or_default();
        self.send(Message::Block(std::mem::replace(block, used)))
    }

    fn end(&mut self) -> Step {
        self.send(Message::End)
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        let _ = self.send(Message::Count(what, amount));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Ramp(usize);

    impl Read for Ramp {
        fn read(&mut self, _: &Item, output: &mut dyn Output) -> Step {
            for block in 0..self.0 {
                output.block(&mut Block::planar(1, vec![block as f32]))?;
            }
            output.count("blocks", self.0 as u64);
            if self.0 == 13 { panic!("unlucky") } else { output.end() }
        }
    }

    #[derive(Default)]
    struct Taken {
        blocks: Vec<f32>,
        counted: u64,
        ended: bool,
        most: Option<usize>,
    }

    impl Output for Taken {
        fn begin(&mut self, _: &Header) -> Step {
            Ok(())
        }

        fn block(&mut self, block: &mut Block) -> Step {
            if self.most == Some(self.blocks.len()) {
                return Err(Stop::Filtered { reason: "enough".into() });
            }
            self.blocks.push(block.samples()[0]);
            Ok(())
        }

        fn end(&mut self) -> Step {
            self.ended = true;
            Ok(())
        }

        fn count(&mut self, _: &'static str, amount: u64) {
            self.counted += amount;
        }
    }

    fn item() -> Item {
        Item {
            key: Arc::from("a"),
            place: crate::place::Place::at("a"),
            size: 0,
            digest: "".into(),
            stamp: None,
            rows: None,
        }
    }

    #[test]
    fn everything_arrives_in_order() {
        let mut taken = Taken::default();
        read_ahead(&mut Ramp(100), &item(), &mut taken).unwrap();
        assert_eq!(taken.blocks, (0..100).map(|block| block as f32).collect::<Vec<_>>());
        assert!(taken.ended && taken.counted == 100);
    }

    #[test]
    fn whoever_stops_first_is_heard() {
        let mut taken = Taken { most: Some(3), ..Taken::default() };
        let step = read_ahead(&mut Ramp(1000), &item(), &mut taken);
        assert_eq!(step, Err(Stop::Filtered { reason: "enough".into() }));
        let step = read_ahead(&mut Ramp(13), &item(), &mut Taken::default());
        assert!(matches!(step, Err(Stop::Rejected { class: "panic", .. })), "{step:?}");
    }
}
