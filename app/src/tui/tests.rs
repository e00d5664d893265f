//! Properties of the reducer, pictures of the screen with their colours, and the screen at every size.
