"""Pictures of training and of networks, in the manner of scikit-learn's displays.

`loss_curve` draws losses and scores over the epochs, of what `histories` finds in estimators;
`network_picture` draws layers, units and weights. `drawing` has matplotlib, which is an extra
and is imported when something is drawn. A display keeps what it shows and can be drawn
several times.

Called by users, by the names in `fastdnn`. It knows fitted attributes, not the estimators.
"""
